"""The loader's traffic: what is kept beside the steps agrees with the steps."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema import sample_snapshots
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.histogram import Histogram
from e2edebug_schema.loader import Loaded, load, main
from e2edebug_schema.queries.errors import error_groups, list_errors
from e2edebug_schema.queries.sessions import SessionFilter, list_sessions
from e2edebug_schema.queries.snapshots import merged_histograms, metric_windows
from e2edebug_schema.queries.statistics import failing_workflows, repeated_statements, totals
from e2edebug_schema.queries.steps import Step, steps_of
from e2edebug_schema.retention.hourly_snapshots import merge_hour, unmerged_hours
from e2edebug_schema.retention.policy import MERGE_AFTER
from e2edebug_schema.sample_sessions import sample_sessions
from e2edebug_schema.sample_snapshots import PROCESSES
from e2edebug_schema.tables import error_group, error_log, performance_snapshot, trace_step, workflow_session

LAST = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIRST = LAST - timedelta(hours=6)


@pytest.fixture
def loaded(engine: sa.Engine) -> Loaded:
    """600 sessions over six hours: more than one transaction."""
    return load(engine, sessions=600, days=0.25, until=LAST, seed=7)


def expected_summary(steps: list[Step]) -> dict[str, Any]:
    queries = [step for step in steps if step.layer == "database"]
    repeated = Counter(step.statement_digest for step in queries).most_common(1)
    root = next(step for step in steps if step.parent_span_id is None)
    slowest = max((step for step in steps if step is not root), key=lambda step: step.duration_ms or 0)
    assert root.end_time is not None
    return {
        "step_count": len(steps), "query_count": len(queries), "repeat_count": repeated[0][1],
        "slowest_step": f"{slowest.component} {slowest.operation}", "slowest_ms": slowest.duration_ms,
        "start_time": min(step.start_time for step in steps),
        "end_time": max(step.end_time for step in steps if step.end_time), "duration_ms": root.duration_ms,
        "status": root.status,
    }  # fmt: skip


def test_summaries_say_what_the_steps_say(engine: sa.Engine, loaded: Loaded) -> None:
    sessions = list_sessions(engine, limit=40)

    for session in sessions:
        expected = expected_summary(steps_of(engine, session.correlation_id))
        assert {name: getattr(session, name) for name in expected} == expected


def test_every_row_is_counted(engine: sa.Engine, loaded: Loaded) -> None:
    found = totals(engine, since=FIRST - timedelta(minutes=1))

    assert (found.sessions, found.steps, found.snapshots, found.errors) == (
        loaded.sessions, loaded.steps, loaded.snapshots, loaded.errors,
    )  # fmt: skip
    assert loaded.sessions == 600
    assert loaded.errors > 0


def test_histograms_hold_every_step(engine: sa.Engine, loaded: Loaded) -> None:
    summaries = merged_histograms(engine, since=FIRST - timedelta(minutes=1))

    everything = Histogram()
    for summary in summaries:
        everything.merge(summary.histogram)
    assert (everything.count, sum(summary.count for summary in summaries)) == (loaded.steps, loaded.steps)
    assert all(summary.worst_correlation_id for summary in summaries)


def test_old_hours_are_what_retention_makes_of_their_minutes(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(engine, sessions=200, days=2.2, until=LAST, seed=7)
    merged = snapshots_of(engine)
    for table in (workflow_session, trace_step, error_log, performance_snapshot, error_group):
        with engine.begin() as connection:
            connection.execute(table.delete())
    monkeypatch.setattr(sample_snapshots, "MERGE_AFTER", timedelta(days=10))

    load(engine, sessions=200, days=2.2, until=LAST, seed=7)
    for hour in unmerged_hours(engine, LAST - MERGE_AFTER):
        merge_hour(engine, hour)

    assert snapshots_of(engine) == merged
    assert {row["interval_s"] for row in merged} == {60.0, 3600.0}


def snapshots_of(engine: sa.Engine) -> list[dict[str, Any]]:
    """Every column but the id, sums rounded: they depend on the order of adding in their last digits."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(performance_snapshot)).mappings().all()
    found = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    for row in found:
        row["sum"] = round(row["sum"], 6)
        row["metric_value"] = round(row["metric_value"], 6)
    return sorted(found, key=lambda row: str((row["timestamp"], row["event_key"])))


def test_another_load_of_the_same_minutes_is_of_other_processes(engine: sa.Engine, loaded: Loaded) -> None:
    again = load(engine, sessions=10, days=0.25, until=LAST, seed=8)

    instances = {window.service_instance for window in metric_windows(engine, since=FIRST, limit=10_000)}
    assert again.sessions == 10
    assert len(instances) > PROCESSES


def test_groups_count_every_error(engine: sa.Engine, loaded: Loaded) -> None:
    groups = error_groups(engine)
    errors = list_errors(engine, limit=1000)

    assert {group.fingerprint: group.occurrences for group in groups} == Counter(e.fingerprint for e in errors)
    for group in groups:
        times = [error.timestamp for error in errors if error.fingerprint == group.fingerprint]
        assert (group.first_seen, group.last_seen) == (min(times), max(times))


def test_the_traffic_has_what_queries_look_for(engine: sa.Engine, loaded: Loaded) -> None:
    """Repeated statements, failures, and sessions with errors in them."""
    assert {type_ for found in repeated_statements(engine, since=FIRST) for type_ in found.workflow_types} == {
        "browse", "checkout",
    }  # fmt: skip
    assert "checkout" in {workflow.workflow_type for workflow in failing_workflows(engine, since=FIRST)}
    failed = list_sessions(engine, filters=SessionFilter(status="failed"), limit=1000)
    assert sum(session.error_count for session in failed) == loaded.errors


def test_the_same_seed_makes_the_same_sessions() -> None:
    first, second, other = (
        list(sample_sessions(20, first=FIRST, last=LAST, seed=seed)) for seed in (7, 7, 8)
    )  # fmt: skip

    assert first == second
    assert first != other


def test_progress_is_told_of_every_session(tmp_path: Path) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    told: list[int] = []

    load(engine, sessions=1100, days=1, until=LAST, seed=1, progress=told.append)
    engine.dispose()

    assert told == [500, 500, 100]


def test_the_command_line_makes_and_fills_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"

    code = main(["--url", url, "--sessions", "20", "--days", "0.1", "--seed", "1"])

    printed = capsys.readouterr()
    assert (code, printed.out.startswith("stored 20 sessions, ")) == (0, True)
    assert printed.err == "20 of 20 sessions\n"
