"""A run of retention: what goes, what stays, and what it says it would do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.lease import acquire_lease, hold_lease
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.retention import old_days
from e2edebug_schema.retention.apply import LEASE, Step, apply_retention, plan_retention
from e2edebug_schema.retention.policy import AGED_TABLES, DEFAULT_POLICY, RetentionPolicy
from e2edebug_schema.retention.store_size import used_bytes
from e2edebug_schema.table_metadata import metadata
from e2edebug_schema.tables import alert, error_group, error_log, performance_snapshot, trace_step, workflow_session

Ages = Callable[[sa.Table], list[int]]
Daily = Callable[[int], None]

DAYS = {
    "debugging_trace_step": 2, "debugging_performance_snapshot": 4, "debugging_error_log": 3,
    "debugging_workflow_session": 5,
}  # fmt: skip
POLICY = RetentionPolicy(DAYS, max_bytes=0)


def test_each_table_keeps_its_own_days(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    """A day that is kept in part is kept whole where it is a partition; elsewhere to the second."""
    daily(8)
    exact = engine.dialect.name == "sqlite"

    apply_retention(engine, POLICY, now=now)

    assert ages(workflow_session) == [4, 3, 2, 1, 0]
    assert ages(trace_step) == ([1, 0] if exact else [2, 1, 0])
    assert ages(error_log) == ([2, 1, 0] if exact else [3, 2, 1, 0])
    assert ages(performance_snapshot) == ([3, 2, 1, 0] if exact else [4, 3, 2, 1, 0])


def test_zero_days_keep_everything(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    daily(4)

    outcome = apply_retention(engine, RetentionPolicy(dict.fromkeys(DAYS, 0), max_bytes=0), now=now)

    assert ages(trace_step) == ages(workflow_session) == [3, 2, 1, 0]
    assert {step.kind for step in outcome.steps} == {"merge"}


def test_the_plan_names_what_the_run_then_does(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    daily(8)

    planned = plan_retention(engine, POLICY, now=now)
    untouched = ages(trace_step)
    done = apply_retention(engine, POLICY, now=now).steps

    def what(steps: list[Step]) -> set[tuple[str, str, str]]:
        return {(step.kind, step.table, step.partition) for step in steps}

    assert untouched == [7, 6, 5, 4, 3, 2, 1, 0]
    assert what(planned) == what(done)
    assert sum(step.rows for step in planned if step.kind == "merge") == sum(s.rows for s in done if s.kind == "merge")
    assert plan_retention(engine, POLICY, now=now) == []


def test_a_second_run_has_nothing_to_do(engine: sa.Engine, daily: Daily, now: datetime) -> None:
    daily(5)
    apply_retention(engine, POLICY, now=now)

    assert apply_retention(engine, POLICY, now=now).steps == []


def test_a_workflow_that_goes_on_is_not_old(engine: sa.Engine, rows: Any, now: datetime, noon: datetime) -> None:
    long_ago_ms = (now - timedelta(days=40) - noon).total_seconds() * 1000
    rows.session("over", at_ms=long_ago_ms)
    rows.session("goes-on", at_ms=long_ago_ms, duration_ms=39 * 86_400_000)

    apply_retention(engine, DEFAULT_POLICY, now=now)

    with reading(engine) as connection:
        assert connection.execute(sa.select(workflow_session.c.correlation_id)).scalars().all() == ["goes-on"]


def test_an_alert_goes_when_it_is_old_and_over(engine: sa.Engine, now: datetime) -> None:
    def opened(metric_name: str, days: int, *, is_over: bool) -> dict[str, Any]:
        seen = now - timedelta(days=days)
        return {
            "layer": "api", "metric_name": metric_name, "level": "warning", "state": "any", "started_at": seen,
            "last_seen_at": seen, "resolved_at": seen if is_over else None,
        }  # fmt: skip

    with engine.begin() as connection:
        for values in (opened("old", 400, is_over=True), opened("old and open", 400, is_over=False),
                       opened("young", 100, is_over=True)):  # fmt: skip
            connection.execute(alert.insert(), values)

    apply_retention(engine, DEFAULT_POLICY, now=now)

    with reading(engine) as connection:
        kept = connection.execute(sa.select(alert.c.metric_name).order_by(alert.c.id)).scalars().all()
    assert kept == ["old and open", "young"]


def test_a_group_goes_a_year_after_its_last_error(
    engine: sa.Engine, rows: Any, ages: Ages, now: datetime, noon: datetime
) -> None:
    for number, days in enumerate((400, 100, 0)):
        rows.group(number, seen_ms=(now - timedelta(days=days) - noon).total_seconds() * 1000)

    apply_retention(engine, DEFAULT_POLICY, now=now)

    assert ages(error_group) == [100, 0]


def test_more_rows_than_a_batch_go_in_several_with_a_pause_between(
    engine: sa.Engine, rows: Any, now: datetime, noon: datetime
) -> None:
    from e2edebug_schema.retention.old_rows import delete_old_rows

    aged = next(one for one in AGED_TABLES if one.table is workflow_session)
    for number in range(25):
        rows.session(f"s{number}", at_ms=number)
    pauses: list[float] = []
    batches: list[int] = []

    def goes_on(deleted: int) -> bool:
        batches.append(deleted)
        return True

    deleted = delete_old_rows(
        engine, aged, noon + timedelta(days=1), goes_on=goes_on, rows_at_once=10, sleep=pauses.append
    )

    assert (deleted, batches) == (25, [10, 10, 5])
    assert len(pauses) == 2
    assert all(pause > 0 for pause in pauses)


def test_rows_that_may_stay_do_not_stop_the_walk(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    """More workflows that go on than a batch takes, and an old one behind them."""
    from e2edebug_schema.retention.old_rows import delete_old_rows

    aged = next(one for one in AGED_TABLES if one.table is workflow_session)
    for number in range(5):
        rows.session(f"goes-on-{number}", at_ms=number, duration_ms=10 * 86_400_000)
    rows.session("over", at_ms=10)

    deleted = delete_old_rows(engine, aged, noon + timedelta(days=1), rows_at_once=2, sleep=lambda _s: None)

    assert deleted == 1


def test_the_oldest_days_go_first_when_the_store_is_too_large(
    engine: sa.Engine, daily: Daily, ages: Ages, now: datetime, shut_days: Callable[[], int]
) -> None:
    daily(4)
    with engine.begin() as connection:  # something to measure
        connection.execute(trace_step.update().values(statement="x" * 300_000))
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE TABLE debugging_trace_step")
    forever = dict.fromkeys(DAYS, 0)
    with reading(engine) as connection:
        size = used_bytes(connection)

    planned = plan_retention(engine, RetentionPolicy(forever, max_bytes=size - 1), now=now)
    outcome = apply_retention(engine, RetentionPolicy(forever, max_bytes=size - 1), now=now)

    assert [step.is_for_size for step in planned if step.kind != "merge"] != []
    assert outcome.size_bytes < size
    assert not outcome.is_over_size
    assert ages(trace_step) in ([2, 1, 0], [3, 2, 1, 0])  # an empty older day may have been enough
    assert all(step.before <= now - timedelta(days=2) for step in outcome.steps if step.is_for_size)


def test_todays_rows_are_never_dropped_for_size(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    daily(3)

    outcome = apply_retention(engine, RetentionPolicy({}, max_bytes=1), now=now)

    assert ages(trace_step) == ages(error_log) == [0]
    assert outcome.is_over_size


def test_a_run_ends_when_it_is_asked_to(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    daily(8)

    outcome = apply_retention(engine, POLICY, now=now, stops=lambda: True)

    assert not outcome.is_complete
    assert ages(trace_step) == [7, 6, 5, 4, 3, 2, 1, 0]


def test_a_run_ends_when_its_lease_is_lost(engine: sa.Engine, daily: Daily, ages: Ages, now: datetime) -> None:
    daily(8)

    with hold_lease(engine, LEASE, duration_s=0.003) as held:
        assert held is not None
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE debugging_lease SET holder = 'somebody', fence = 99")
        outcome = apply_retention(engine, POLICY, now=now, held=held)

    assert not outcome.is_complete
    assert len(ages(trace_step)) > 3


def test_one_runner_at_a_time(engine: sa.Engine) -> None:
    assert acquire_lease(engine, LEASE, holder="one") is not None

    with hold_lease(engine, LEASE) as held:
        assert held is None


def test_progress_is_told_step_by_step(engine: sa.Engine, daily: Daily, now: datetime) -> None:
    daily(4)
    told: list[Step] = []

    outcome = apply_retention(engine, POLICY, now=now, report=told.append)

    assert told == outcome.steps
    assert told != []


@pytest.mark.parametrize("dialect", ["mariadb"], indirect=True)
def test_partitions_are_made_ahead(engine: sa.Engine, now: datetime) -> None:
    with engine.connect() as connection:
        newest = f"p{now + timedelta(days=14):%Y%m%d}"
        connection.exec_driver_sql(f"ALTER TABLE debugging_trace_step DROP PARTITION {newest}")

    apply_retention(engine, POLICY, now=now)

    with engine.connect() as connection:
        assert newest in [name for name, _ in old_days.list_partitions(connection, trace_step)]


@pytest.mark.parametrize("dialect", ["mariadb"], indirect=True)
def test_a_transaction_that_holds_the_table_delays_its_day_and_nothing_else(
    engine: sa.Engine, daily: Daily, ages: Ages, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily(5)
    monkeypatch.setattr(old_days, "PAUSES_S", ())
    reader = create_store_engine(engine.url)

    with reader.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM debugging_trace_step").scalar_one()
        outcome = apply_retention(engine, POLICY, now=now)
    reader.dispose()
    later = apply_retention(engine, POLICY, now=now)

    assert {name.split()[0] for name in outcome.held_tables} == {"debugging_trace_step"}
    assert "debugging_error_log" in {step.table for step in outcome.steps}
    assert (later.held_tables, ages(trace_step)) == ([], [2, 1, 0])


def test_everything_that_grows_with_time_is_cleared_out() -> None:
    """A new table that nobody clears out fails here; those below stay small by themselves."""
    small = {
        "debugging_configuration", "debugging_performance_threshold", "debugging_lease", "debugging_threshold_option",
        "debugging_alert_target", "debugging_maintenance_window", "debugging_evaluation", "debugging_release",
        "debugging_rollup_hour", "debugging_performance_rollup",  # two days at most
    }  # fmt: skip

    assert {aged.name for aged in AGED_TABLES} | small == set(metadata.tables)
    assert DEFAULT_POLICY.days.keys() == {aged.name for aged in AGED_TABLES}
