"""What is recorded over HTTP: the calls that the product was first described with, and what is refused."""

import math
import uuid
from typing import Any

import pytest
from rest.api_project import Client, Site

STEP = {"layer": "api", "component": "AuthViewSet", "operation": "authenticate"}
ERROR = {
    "layer": "api",
    "component": "ProductViewSet",
    "error_type": "ValidationError",
    "error_message": "Invalid data",
}
METRIC = {"layer": "api", "component": "ProductViewSet", "metric_name": "response_time", "metric_value": 150.0}


def test_a_login_is_begun_stepped_through_and_completed(client: Client) -> None:
    session = client.post("workflow-sessions/", {"workflow_type": "login", "metadata": {"ip": "10.0.0.1"}})
    correlation_id = session.body["correlation_id"]
    step = client.post("trace-steps/", STEP | {"correlation_id": correlation_id})
    running = client.get(f"workflow-sessions/{session.body['id']}/")
    ended = client.post(f"trace-steps/{step.body['id']}/complete/", {"metadata": {"success": True}})
    done = client.post(f"workflow-sessions/{session.body['id']}/complete/")

    assert (session.status, session.body["status"], session.body["metadata"]) == (
        201,
        "in_progress",
        {"ip": "10.0.0.1"},
    )
    assert (step.status, step.body["status"], step.body["duration_ms"]) == (201, "started", None)
    assert [one["operation"] for one in running.body["trace_steps"]] == ["login", "authenticate"]
    assert (ended.status, ended.body["status"], ended.body["metadata"]) == (200, "completed", {"success": True})
    assert (done.status, done.body["status"], done.body["summary"]["steps"]) == (200, "completed", 2)
    assert done.body["duration_ms"] > 0
    own = running.body["trace_steps"][0]
    assert (step.body["trace_id"], step.body["parent_span_id"]) == (own["trace_id"], own["span_id"])


def test_a_workflow_may_fail_and_keeps_what_is_told_of_it(client: Client) -> None:
    session = client.post("workflow-sessions/", {"workflow_type": "checkout", "metadata": {"cart": 3}}).body
    step = client.post("trace-steps/", STEP | {"correlation_id": session["correlation_id"]}).body

    failed_step = client.post(f"trace-steps/{step['id']}/fail/", {"error": "declined"}).body
    failed = client.post(f"workflow-sessions/{session['correlation_id']}/fail/", {"metadata": {"try": 2}})
    again = client.post(f"workflow-sessions/{session['correlation_id']}/fail/")
    otherwise = client.post(f"workflow-sessions/{session['correlation_id']}/complete/")

    assert (failed_step["status"], failed_step["status_message"]) == ("failed", "declined")
    assert (failed.body["status"], failed.body["metadata"]) == ("failed", {"cart": 3, "try": 2})
    assert (again.status, again.body["end_time"], otherwise.status) == (200, failed.body["end_time"], 409)


def test_a_workflow_that_only_spans_made_can_be_ended_by_hand(site: Site) -> None:
    site.execute(
        "INSERT INTO debugging_workflow_session (correlation_id, trace_id, start_time, end_time, duration_ms, status, "
        "status_rank, step_count) VALUES ('by-spans', '1234567890abcdef1234567890abcdef', "
        "'2026-11-25 10:00:00.000000', '2026-11-25 10:00:01.000000', 1000, 'failed', 3, 4)"
    )

    done = site.client.post("workflow-sessions/1234567890abcdef1234567890abcdef/complete/")
    done = done if done.status == 200 else site.client.post("workflow-sessions/by-spans/complete/")

    assert (done.body["status"], done.body["end_time"], done.body["duration_ms"]) == (
        "completed", "2026-11-25T10:00:01Z", 1000.0,
    )  # fmt: skip


def test_the_same_thing_recorded_twice_is_there_once(client: Client) -> None:
    ids = {
        "correlation_id": f"twice-{uuid.uuid4().hex}",
        "trace_id": uuid.uuid4().hex,
        "span_id": uuid.uuid4().hex[:16],
    }
    step = STEP | ids | {"start_time": "2026-11-25T10:00:00Z", "duration_ms": 12.5}
    error = ERROR | {"trace_id": ids["trace_id"], "stack_trace": 'File "shop/views.py", line 3, in pay\nValueError: no'}

    steps = [client.post("trace-steps/", step) for _ in range(2)]
    errors = [client.post("error-logs/", error) for _ in range(2)]
    sessions = [
        client.post("workflow-sessions/", {"workflow_type": "x", "correlation_id": ids["correlation_id"]}) for _ in "12"
    ]

    assert [one.status for one in (*steps, *errors)] == [201, 200, 201, 200]
    assert [one.status for one in sessions] == [200, 200]
    assert steps[0].body == steps[1].body
    assert errors[0].body["id"] == errors[1].body["id"]
    assert sessions[0].body["summary"]["steps"] == 1


def test_what_is_recorded_passes_the_same_gate_as_everything(site: Site) -> None:
    key = f"gate-{uuid.uuid4().hex}"
    site.client.post(
        "error-logs/",
        ERROR | {
            "correlation_id": key, "error_message": "token=s3cr3tvalue refused for Bearer abcdefghijklmnop",
            "metadata": {"password": "hunter2", "nested": {"api_key": "k3y"}}, "request_path": "/pay?card=4111",
        },
    )  # fmt: skip
    site.client.post(
        "trace-steps/",
        STEP | {"correlation_id": key, "layer": "database", "statement": "SELECT 1 FROM a WHERE b = 'hunter2'"},
    )

    [(message, metadata, path)] = site.rows(
        f"SELECT error_message, metadata, request_path FROM debugging_error_log WHERE correlation_id = '{key}'"
    )
    [(statement,)] = site.rows(f"SELECT statement FROM debugging_trace_step WHERE correlation_id = '{key}'")
    stored = f"{message} {metadata} {path} {statement}"
    assert [
        secret for secret in ("s3cr3tvalue", "abcdefghijklmnop", "hunter2", "k3y", "4111") if secret in stored
    ] == []
    assert statement == "SELECT ? FROM a WHERE b = ?"


def test_a_metric_and_an_error_are_found_by_their_workflow(client: Client) -> None:
    key = f"found-{uuid.uuid4().hex}"

    metric = client.post("performance-snapshots/", METRIC | {"correlation_id": key})
    error = client.post("error-logs/", ERROR | {"correlation_id": key, "severity": "critical", "user_id": "7"})

    assert (metric.status, metric.body["unit"], metric.body["metric_value"]) == (201, "ms", 150.0)
    assert (error.status, error.body["severity"], error.body["user_id"]) == (201, "critical", "7")
    assert client.get(f"error-logs/{key}/").body == error.body
    assert client.get(f"performance-snapshots/?correlation_id={key}").body["results"] == [metric.body]


REFUSED: list[tuple[str, dict[str, Any], set[str]]] = [
    ("trace-steps/", STEP | {"correlation_id": "a", "layer": "kernel"}, {"layer"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "duration_ms": -1}, {"duration_ms"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "status": "completed"}, {"duration_ms"}),
    ("trace-steps/", STEP | {"correlation_id": "not an id"}, {"correlation_id"}),
    ("trace-steps/", STEP | {"correlation_id": "a\n"}, {"correlation_id"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "trace_id": "0" * 32}, {"trace_id"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "span_id": "XYZ"}, {"span_id"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "start_time": "yesterday"}, {"start_time"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "start_time": "2026-11-25T10:00:00"}, {"start_time"}),
    ("trace-steps/", STEP | {"correlation_id": "a", "component": "x" * 151}, {"component"}),
    ("trace-steps/", STEP, {"correlation_id"}),
    ("workflow-sessions/", {}, {"workflow_type"}),
    ("workflow-sessions/", {"workflow_type": 7}, {"workflow_type"}),
    ("workflow-sessions/", {"workflow_type": "a\0b"}, {"workflow_type"}),
    ("workflow-sessions/", {"workflow_type": " "}, {"workflow_type"}),
    ("workflow-sessions/", {"workflow_type": "a", "metadata": ["list"]}, {"metadata"}),
    ("workflow-sessions/", {"workflow_type": "a", "metadata": {"a": "x" * 70_000}}, {"metadata"}),
    ("workflow-sessions/", {"workflow_type": "a", "metadata": {"a": "\0"}}, {"metadata"}),
    ("workflow-sessions/", {"workflow_type": "a", "metadata": {"\ud800": 1}}, {"metadata"}),
    ("workflow-sessions/", {"workflow_type": "a", "wrokflow": "b"}, {"wrokflow"}),
    ("workflow-sessions/", {"workflow_type": "a", "status": "completed"}, {"status"}),
    ("performance-snapshots/", METRIC | {"metric_value": "150"}, {"metric_value"}),
    ("performance-snapshots/", METRIC | {"metric_value": True}, {"metric_value"}),
    ("performance-snapshots/", METRIC | {"metric_value": None}, {"metric_value"}),
    ("performance-snapshots/", METRIC | {"metric_value": 10**400}, {"metric_value"}),
    ("error-logs/", ERROR | {"severity": "fatal"}, {"severity"}),
    ("error-logs/", ERROR | {"error_message": "a\0"}, {"error_message"}),
    ("error-logs/", ERROR | {"ip_address": "localhost"}, {"ip_address"}),
    ("error-logs/", ERROR | {"layer": None, "component": ""}, {"layer", "component"}),
    ("performance-thresholds/", {"layer": "api"}, {"metric_name", "warning_threshold", "critical_threshold"}),
    ("debug-configurations/", {"name": "a", "config_type": "tracing", "config_data": {"sample_ratio": 7}}, {"config_data"}),
]  # fmt: skip


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("path", "body", "fields"), REFUSED, ids=[f"{path}{number}" for number, (path, _, _) in enumerate(REFUSED)]
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(
    client: Client, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    answer = client.post(path, body)

    assert (answer.status, set(answer.body)) == (400, fields), answer.body


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"layer": "api", "component": "a", "metric_name": "b", "metric_value": NaN}', 400),
        (b'{"layer": "api", "component": "a", "metric_name": "b", "metric_value": 1e999}', 400),
        (b'{"workflow_type": "\xff"}', 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b"", 400),
        (b'"text"', 400),
        (b'{"a": "' + b"x" * (1 << 20) + b'"}', 413),
    ],
    ids=["nan", "infinite", "not utf-8", "deep", "a list", "nothing", "a text", "large"],
)
def test_what_is_no_json_document_of_ours_is_refused(client: Client, raw: bytes, status: int) -> None:
    assert client.post("performance-snapshots/", raw=raw).status == status


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_only_json_is_understood_and_spoken(client: Client) -> None:
    assert client.post("error-logs/", raw=b"a=b", Content_Type="application/x-www-form-urlencoded").status == 415
    assert client.get("error-logs/", Accept="text/html").status == 406
    assert math.isfinite(client.get("system-health/").body["store"]["answer_ms"])
