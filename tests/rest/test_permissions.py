"""Who may do what, and what nobody learns who may not."""

import uuid

import pytest
from rest.api_project import Client, Site, served

READ = [
    "workflow-sessions/", "workflow-sessions/stats/", "trace-steps/", "performance-snapshots/",
    "performance-snapshots/alerts/", "performance-snapshots/series/?layer=api&metric_name=response_time", "error-logs/",
    "error-logs/summary/", "error-groups/", "debug-configurations/", "performance-thresholds/", "system-health/",
]  # fmt: skip
sqlite_only = pytest.mark.parametrize("dialect", ["sqlite"])


@sqlite_only
def test_strangers_customers_and_staff_without_permission_see_nothing(client: Client) -> None:
    answers = {
        (user, path): client.by(user).get(path).status
        for user in (None, "customer", "nobody")
        for path in [*READ, "schema/", "workflow-sessions/1/"]
        if not (user == "nobody" and path == "schema/")
    }

    assert {one for (user, _), one in answers.items() if user is None} == {401}
    assert {one for (user, _), one in answers.items() if user is not None} == {403}


@sqlite_only
def test_a_reader_reads_everything_and_changes_nothing(client: Client) -> None:
    reader = client.by("reader")
    session = client.post("workflow-sessions/", {"workflow_type": "read-only"}).body

    changes = [
        ("POST", "workflow-sessions/"), ("POST", f"workflow-sessions/{session['id']}/complete/"),
        ("POST", f"workflow-sessions/{session['id']}/fail/"), ("POST", "trace-steps/"), ("POST", "error-logs/"),
        ("POST", "error-logs/1/resolve/"), ("POST", "error-groups/1/ignore/"), ("POST", "performance-thresholds/"),
        ("PATCH", "debug-configurations/1/"), ("PUT", "performance-thresholds/1/"),
        ("DELETE", "performance-thresholds/1/"),
    ]  # fmt: skip

    assert {reader.get(path).status for path in READ} == {200}
    assert {reader.ask(method, path, body={}).status for method, path in changes} == {403}


@sqlite_only
def test_a_writer_records_and_decides_nothing(client: Client) -> None:
    writer = client.by("writer")

    session = writer.post("workflow-sessions/", {"workflow_type": "written"})

    assert session.status == 201
    assert writer.post(f"workflow-sessions/{session.body['id']}/complete/").status == 403


@sqlite_only
def test_who_somebody_was_needs_a_permission_of_its_own(client: Client) -> None:
    key = uuid.uuid4().hex
    client.post(
        "workflow-sessions/", {"workflow_type": "w", "correlation_id": key, "user_id": "7", "user_label": "ann"}
    )
    client.post(
        "error-logs/",
        {"layer": "api", "component": "c", "error_type": "E", "error_message": "m", "correlation_id": key,
         "user_id": "7", "user_agent": "Firefox"},
    )  # fmt: skip

    seen = client.get(f"workflow-sessions/{key}/").body
    hidden = client.by("reader").get(f"workflow-sessions/{key}/").body

    assert (seen["user_id"], seen["user_label"], seen["error_logs"][0]["user_agent"]) == ("7", "ann", "Firefox")
    assert (hidden["user_id"], hidden["user_label"]) == ("[hidden]", "[hidden]")
    assert (hidden["error_logs"][0]["user_agent"], hidden["session_key"]) == ("[hidden]", None)
    for path in ("workflow-sessions/?user_id=7", "workflow-sessions/?user_label=ann", "error-logs/?user_id=7"):
        assert (client.get(path).status, client.by("reader").get(path).status) == (200, 403)


@sqlite_only
def test_one_endpoint_does_not_show_what_another_one_refuses(client: Client) -> None:
    key = uuid.uuid4().hex
    client.post("workflow-sessions/", {"workflow_type": "w", "correlation_id": key})
    client.post(
        "error-logs/",
        {"layer": "api", "component": "c", "error_type": "E", "error_message": "m", "correlation_id": key},
    )

    session = client.by("sessions").get(f"workflow-sessions/{key}/").body

    assert (session["trace_steps"], session["trace_steps_next"], session["error_logs"]) == (None, None, None)
    assert client.by("sessions").get("system-health/").status == 403


@sqlite_only
def test_a_method_that_is_not_offered_is_405_to_those_who_may_ask(client: Client) -> None:
    answer = client.ask("DELETE", "workflow-sessions/1/", body=None)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.by("customer").ask("DELETE", "workflow-sessions/1/", body=None).status == 403


@sqlite_only
def test_another_class_may_decide_and_a_rate_holds(site: Site) -> None:
    environ = site.environ | {
        "E2EDEBUG_API_PERMISSION_CLASS": "rest_framework.permissions.IsAuthenticated", "E2EDEBUG_API_THROTTLE_RATE": "3/hour",
    }  # fmt: skip
    with served(site.project, environ=environ) as client:
        answers = [client.by("customer").get("workflow-sessions/") for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["Retry-After"]) > 0
