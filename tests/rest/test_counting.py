"""Statistics, summaries, series, alerts and health."""

import time
import uuid

import pytest
from rest.api_project import Client, Site, served


def test_workflows_are_counted_over_a_day_by_type_and_status(client: Client) -> None:
    kind = f"counted-{uuid.uuid4().hex[:8]}"
    for ending in ("complete", "complete", "fail", None):
        session = client.post("workflow-sessions/", {"workflow_type": kind}).body
        if ending:
            client.post(f"workflow-sessions/{session['id']}/{ending}/")

    stats = client.get("workflow-sessions/stats/").body

    [counts] = [one for one in stats["by_type"] if one["workflow_type"] == kind]
    assert counts["by_status"] == {"in_progress": 1, "completed": 2, "failed": 1, "timeout": 0}
    assert (counts["count"], round(counts["success_rate"], 2)) == (4, 66.67)
    assert counts["duration_ms"]["p95"] > 0
    assert stats["total"]["count"] >= 4


def test_hours_that_are_over_count_like_those_that_are_not(site: Site) -> None:
    """Past hours come from memory the second time; both times the same."""
    kind = f"hours-{uuid.uuid4().hex[:8]}"
    values = ",".join(
        f"('{kind}-{number}', '{kind}', '2026-11-20 {number // 4:02}:{number % 4 * 15:02}:00.000000', "
        f"'2026-11-20 23:59:00.000000', {number + 1}, 'completed')"
        for number in range(80)
    )
    site.execute(
        "INSERT INTO debugging_workflow_session (correlation_id, workflow_type, start_time, end_time, duration_ms, status) "
        f"VALUES {values}"
    )

    def counted(since: str, until: str) -> list[int]:
        path = f"workflow-sessions/stats/?since=2026-11-20T{since}Z&until=2026-11-20T{until}Z"
        return [
            one["count"]
            for _ in range(2)
            for one in site.client.get(path).body["by_type"]
            if one["workflow_type"] == kind
        ]

    assert counted("00:00:00", "23:00:00") == [80, 80]
    assert counted("00:10:00", "02:20:00") == [9, 9]
    assert counted("05:01:00", "05:14:00") == []


def test_a_metric_over_time_is_compared_with_the_time_before(client: Client) -> None:
    component = f"Series{uuid.uuid4().hex[:8]}"
    for moment, value in [("09:30", 100), ("10:10", 200), ("10:40", 400)]:
        client.post(
            "performance-snapshots/",
            {"layer": "api", "component": component, "metric_name": "response_time", "metric_value": value,
             "timestamp": f"2026-11-25T{moment}:00Z", "correlation_id": f"at-{value}"},
        )  # fmt: skip

    series = client.get(
        f"performance-snapshots/series/?layer=api&metric_name=response_time&component={component}"
        "&since=2026-11-25T10:00:00Z&until=2026-11-25T11:00:00Z&period_s=1800"
    ).body

    assert [(point["period_start"], point["max"]) for point in series["points"]] == [
        ("2026-11-25T10:00:00Z", 200.0), ("2026-11-25T10:30:00Z", 400.0),
    ]  # fmt: skip
    assert (series["unit"], series["current"]["count"], series["current"]["worst_correlation_id"]) == (
        "ms",
        2,
        "at-400",
    )
    assert (series["previous"]["mean"], series["change_pct"]["mean"], series["change_pct"]["count"]) == (100, 200, 100)


def test_a_limit_that_is_passed_shows_in_the_alerts_and_in_the_health(site: Site) -> None:
    """Where no evaluator runs: what one keeps would be shown in place of it."""
    site.execute("DELETE FROM debugging_evaluation")
    site.execute("DELETE FROM debugging_performance_threshold")  # other tests make some, for every component
    client = site.client
    component = f"Slow{uuid.uuid4().hex[:8]}"
    key = uuid.uuid4().hex
    for _ in range(6):
        client.post(
            "performance-snapshots/",
            {"layer": "api", "component": component, "metric_name": "response_time", "metric_value": 9000.0,
             "correlation_id": key},
        )  # fmt: skip

    alerts = client.get("performance-snapshots/alerts/").body

    [alert] = [one for one in alerts["results"] if one["component"] == component]
    assert (alert["level"], alert["value"], alert["threshold"], alert["correlation_id"]) == (
        "critical",
        9000,
        2000,
        key,
    )
    deadline = time.monotonic() + 30  # the state that is shown may be five seconds old
    health = client.get("system-health/").body
    while component not in [one["component"] for one in health["alerts"]]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        health = client.get("system-health/").body
    [api] = [layer for layer in health["layers"] if layer["layer"] == "api"]
    assert (health["status"], api["status"]) == ("critical", "critical")
    assert (
        health["active_workflows"]["count"] == len(health["active_workflows"]["newest"])
        or health["active_workflows"]["count"] > 10
    )


def test_errors_are_counted_by_kind(client: Client) -> None:
    name = f"Counted{uuid.uuid4().hex[:8]}Error"
    for severity in ("error", "error", "critical"):
        client.post(
            "error-logs/",
            {"layer": "cache", "component": "default", "error_type": name, "error_message": "x", "severity": severity},
        )

    summary = client.get("error-logs/summary/").body

    assert {"error_type": name, "count": 3} in summary["by_type"]
    assert summary["total"] == sum(summary["by_severity"].values()) == sum(summary["by_layer"].values())
    assert summary["by_layer"]["cache"] >= 3
    assert summary["unresolved"] + summary["resolved"] == summary["total"]


def test_probes_need_no_account_and_tell_nothing(client: Client) -> None:
    nobody = client.by(None)

    assert nobody.get("health/live/").body == nobody.get("health/ready/").body == {"status": "ok"}


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_store_that_is_away_is_503_and_not_ready(site: Site, tmp_path: object) -> None:
    with served(
        site.project, environ={"E2EDEBUG_DATABASE_URL": f"sqlite:///{tmp_path}/nowhere/store.sqlite3"}
    ) as client:
        answers = {
            path: client.get(path) for path in ("health/live/", "health/ready/", "workflow-sessions/", "system-health/")
        }
        written = client.post("workflow-sessions/", {"workflow_type": "x"})

    assert [answer.status for answer in answers.values()] == [200, 503, 503, 503]
    assert (written.status, written.body) == (503, {"detail": "The store cannot be reached just now."})
