"""An error says what kind of error it is and what to do about it, and so does its group."""

import uuid

from rest.api_project import Client

DEADLOCK = "(1213, 'Deadlock found when trying to get lock; try restarting transaction')"


def test_an_error_and_its_group_are_classed_and_advised_on(client: Client) -> None:
    correlation_id = uuid.uuid4().hex
    client.post(
        "error-logs/",
        {
            "layer": "database", "component": "orders_order", "error_type": "django.db.utils.OperationalError",
            "error_message": DEADLOCK, "correlation_id": correlation_id,
        },
    )  # fmt: skip

    query = f"correlation_id={correlation_id}&error_class=database.deadlock"
    (error,) = client.get(f"error-logs/?{query}").body["results"]
    one = client.get(f"error-logs/{error['id']}/").body
    group = client.get(f"error-groups/{error['fingerprint']}/").body

    assert error["error_class"] == one["error_class"] == group["error_class"] == "database.deadlock"
    assert "SHOW ENGINE INNODB STATUS" in one["suggestion"]
    assert group["suggestion"] == one["suggestion"]
    assert client.get(f"error-logs/?correlation_id={correlation_id}&error_class=timeout").body["results"] == []
