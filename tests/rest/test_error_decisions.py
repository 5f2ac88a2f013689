"""Errors are resolved, ignored and opened again, with who did it and why."""

import uuid

from rest.api_project import Client


def an_error(client: Client, **values: str) -> dict[str, object]:
    name = values.pop("name", f"Error{uuid.uuid4().hex[:10].translate(str.maketrans('0123456789', 'ghijklmnop'))}")
    body = {"layer": "api", "component": "Cart", "error_type": name, "error_message": "no", "service_release": "1.0"}
    error: dict[str, object] = client.post("error-logs/", body | values).body
    return error


def test_one_error_is_resolved_with_notes(client: Client) -> None:
    error = an_error(client)

    resolved = client.post(
        f"error-logs/{error['id']}/resolve/", {"resolution_notes": "password=hunter2 was wrong"}
    ).body

    assert (resolved["resolved"], resolved["resolved_by"]) == (True, "root")
    assert resolved["resolved_at"] is not None
    assert "hunter2" not in resolved["resolution_notes"]
    assert client.get(f"error-groups/{error['fingerprint']}/").body["status"] == "unresolved"


def test_a_group_is_resolved_regresses_in_a_later_release_is_ignored_and_reopened(client: Client) -> None:
    error = an_error(client, service="shop")
    name = str(error["error_type"])
    group = client.post(f"error-logs/{error['id']}/resolve/", {"whole_group": True}) and client.get(
        f"error-groups/{error['fingerprint']}/"
    )

    an_error(client, name=name, service="shop")
    old_release = client.get(f"error-groups/{group.body['id']}/").body["status"]
    an_error(client, name=name, service="shop", service_release="1.1")
    regressed = client.get(f"error-groups/{group.body['id']}/").body
    ignored = client.post(f"error-groups/{group.body['id']}/ignore/", {"resolution_notes": "known"}).body
    reopened = client.post(f"error-groups/{group.body['id']}/reopen/").body
    again = client.post(f"error-groups/{group.body['id']}/reopen/").body

    assert (group.body["status"], old_release, regressed["status"]) == ("resolved", "resolved", "regressed")
    assert (ignored["status"], ignored["resolution_notes"], reopened["status"]) == ("ignored", "known", "unresolved")
    assert again["changes"] == reopened["changes"]
    assert [(one["new_status"], one["changed_by"], one["service_release"]) for one in reopened["changes"]] == [
        ("unresolved", "root", None), ("ignored", "root", None), ("regressed", "", "1.1"), ("resolved", "root", "1.0"),
    ]  # fmt: skip


def test_the_occurrences_of_a_group_are_a_list(client: Client) -> None:
    errors = [an_error(client, name="OccurrencesError", component=f"C{number}") for number in range(3)]

    page = client.get(f"error-groups/{errors[0]['fingerprint']}/occurrences/?page_size=2").body
    rest = client.get(page["next"]).body

    found = [one["id"] for one in page["results"] + rest["results"]]
    assert found[:3] == [one["id"] for one in errors[::-1]]


def test_thresholds_and_configuration_are_made_changed_and_removed(client: Client) -> None:
    metric = f"metric_{uuid.uuid4().hex[:8]}"
    limits = {"layer": "api", "metric_name": metric, "warning_threshold": 10, "critical_threshold": 20}

    made = client.post("performance-thresholds/", limits)
    twice = client.post("performance-thresholds/", limits | {"component": None})
    changed = client.ask("PATCH", f"performance-thresholds/{made.body['id']}/", body={"window_s": 60})
    replaced = client.ask("PUT", f"performance-thresholds/{made.body['id']}/", body=limits | {"component": "Cart"})
    gone = client.ask("DELETE", f"performance-thresholds/{made.body['id']}/", body=None)

    assert (made.status, made.body["component"], twice.status) == (201, None, 409)
    assert (changed.body["window_s"], replaced.body["window_s"], replaced.body["component"]) == (60, 300, "Cart")
    assert (gone.status, client.get(f"performance-thresholds/{made.body['id']}/").status) == (204, 404)

    name = f"tracing-{metric}"
    row = client.post(
        "debug-configurations/", {"name": name, "config_type": "tracing", "config_data": {"sample_ratio": 0.5}}
    )
    wrong = client.ask(
        "PATCH", f"debug-configurations/{row.body['id']}/", body={"config_data": {"sample_ratio": "all"}}
    )
    off = client.ask(
        "PATCH",
        f"debug-configurations/{row.body['id']}/",
        body={"enabled": False, "config_type": "tracing", "config_data": None},
    )
    client.ask("DELETE", f"debug-configurations/{row.body['id']}/", body=None)

    assert (row.status, row.body["config_data"], wrong.status) == (201, {"sample_ratio": 0.5}, 400)
    assert (off.body["enabled"], off.body["config_data"]) == (False, None)
