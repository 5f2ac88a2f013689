"""Hours of metrics are summed up beside their snapshots, and whoever reads counts each minute once."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.rollups import unheld_spans
from e2edebug_schema.queries.snapshots import MetricSummary, merged_histograms
from e2edebug_schema.retention import rollups
from e2edebug_schema.retention.apply import apply_retention
from e2edebug_schema.retention.policy import RetentionPolicy
from e2edebug_schema.retention.rollups import forget_hours, put_out_of_force, roll_up_hours
from e2edebug_schema.rollup_tables import performance_rollup, rollup_hour
from e2edebug_schema.tables import performance_snapshot

HOUR = timedelta(hours=1)


def roll_up(engine: sa.Engine, now: datetime) -> int:
    """As two runs do it: what the first claims the second sums up."""
    return sum(roll_up_hours(engine, moment) for moment in (now, now + rollups.SETTLED_AFTER))


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def late(engine: sa.Engine, rows: Any, at_s: float, **values: Any) -> None:
    """As a writer stores it."""
    rows.snapshot(at_s=at_s, **values)
    with engine.begin() as connection:
        put_out_of_force(connection, ["2026-11-23 12:30:00.000000"])


@pytest.fixture
def three_hours(rows: Any) -> None:
    """Noon to three of two processes and services, with readings, points and rows without a value beside the durations."""
    source = random.Random(7)
    for minute in range(0, 180, 3):
        for instance, service in (("one", "shop"), ("two", "shop"), ("three", "stock")):
            values = [source.lognormvariate(3, 1) for _ in range(source.randrange(1, 30))]
            histogram = Histogram.of(values)
            rows.snapshot(
                at_s=minute * 60, component=source.choice(["CartView", "CheckoutView"]), service=service,
                service_instance=instance, metric_kind="histogram", metric_value=histogram.percentile(95),
                count=len(values), sum=sum(values), min=min(values), max=max(values), buckets=histogram.encode(),
                error_count=minute % 2, correlation_id=f"{instance}-{minute}",
            )  # fmt: skip
        rows.snapshot(at_s=minute * 60 + 7, component="Cart", metric_kind="point", interval_s=0,
                      metric_value=source.uniform(1, 500))  # fmt: skip
        rows.snapshot(at_s=minute * 60, component="Empty", metric_kind="gauge", metric_value=None, error_count=1)


def readings(engine: sa.Engine, since: datetime) -> list[MetricSummary]:
    """What every way of asking says of the time from *since* on."""
    found = []
    for restriction in ({}, {"service": "stock"}, {"layer": "api", "component": "Cart"}, {"component": "nothing"}):
        for period_s in (None, 3600, 7200, 60):
            for until in (None, since + timedelta(minutes=150)):
                found += merged_histograms(engine, since=since, until=until, period_s=period_s, **restriction)  # type: ignore[arg-type] # names of arguments
    return found


def same(one: MetricSummary, other: MetricSummary) -> bool:
    """Sums of floating point numbers depend on their order in the last digits; nothing else does."""
    exact = ("layer", "component", "metric_name", "unit", "period_start", "count", "error_count", "min", "max", "p50",
             "p95", "p99", "histogram", "worst_correlation_id")  # fmt: skip
    return all(getattr(one, name) == getattr(other, name) for name in exact) and one.sum == pytest.approx(other.sum)


@pytest.mark.usefixtures("three_hours")
@pytest.mark.parametrize("after_noon", [timedelta(0), timedelta(minutes=25)])
def test_every_reading_stays_what_it_was(engine: sa.Engine, noon: datetime, after_noon: timedelta) -> None:
    before, snapshots = readings(engine, noon + after_noon), count(engine, performance_snapshot)

    summed = roll_up(engine, noon + 3 * HOUR)

    after = readings(engine, noon + after_noon)
    assert summed > 0
    assert count(engine, performance_snapshot) == snapshots
    assert len(after) == len(before) > 0
    assert [pair for pair in zip(before, after, strict=True) if not same(*pair)] == []


@pytest.mark.usefixtures("three_hours")
def test_whole_hours_are_read_from_their_roll_up(engine: sa.Engine, noon: datetime) -> None:
    """The snapshots of an hour that is summed up are not looked at: without them it reads the same."""
    roll_up(engine, noon + 2 * HOUR)
    before = merged_histograms(engine, since=noon)

    with engine.begin() as connection:
        connection.execute(sa.delete(performance_snapshot).where(performance_snapshot.c.timestamp < noon + 2 * HOUR))

    assert merged_histograms(engine, since=noon) == before


@pytest.mark.usefixtures("three_hours")
def test_an_hour_that_goes_on_or_has_just_ended_is_left(engine: sa.Engine, noon: datetime) -> None:
    roll_up_hours(engine, noon + timedelta(minutes=59))
    roll_up_hours(engine, noon + timedelta(minutes=61))
    roll_up_hours(engine, noon + timedelta(minutes=65))
    too_early = count(engine, performance_rollup)

    roll_up_hours(engine, noon + timedelta(minutes=71))

    assert too_early == 0
    assert count(engine, performance_rollup) > 0


@pytest.mark.usefixtures("three_hours")
def test_a_second_run_sums_up_nothing_again(engine: sa.Engine, noon: datetime) -> None:
    roll_up(engine, noon + 3 * HOUR)
    rows = count(engine, performance_rollup)

    assert roll_up(engine, noon + 3 * HOUR) == 0
    assert count(engine, performance_rollup) == rows


@pytest.mark.usefixtures("three_hours")
def test_what_comes_late_is_counted_at_once_and_summed_up_by_the_next_run(
    engine: sa.Engine, rows: Any, noon: datetime
) -> None:
    roll_up(engine, noon + 3 * HOUR)
    late(engine, rows, 1800, component="Late", metric_kind="gauge", metric_value=9.0)
    at_once = [one.count for one in merged_histograms(engine, since=noon, component="Late")]

    summed = roll_up_hours(engine, noon + 4 * HOUR)

    [after] = merged_histograms(engine, since=noon, component="Late")
    assert at_once == [1]
    assert (summed, after.count, after.max) == (1, 1, 9.0)


@pytest.mark.usefixtures("three_hours")
def test_a_sum_that_a_delivery_overtakes_is_not_kept(
    engine: sa.Engine, rows: Any, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rollups._sums

    def overtaken(*arguments: Any) -> Any:
        found = original(*arguments)
        if arguments[1] == noon:
            late(engine, rows, 1800, component="Late", metric_kind="gauge", metric_value=9.0)
        return found

    monkeypatch.setattr(rollups, "_sums", overtaken)
    first = roll_up(engine, noon + 3 * HOUR)
    monkeypatch.undo()
    meanwhile = [one.count for one in merged_histograms(engine, since=noon, component="Late")]

    hours = count(engine, rollup_hour)
    second = roll_up_hours(engine, noon + 3 * HOUR + rollups.SETTLED_AFTER)

    assert (first, second) == (hours - 1, 1)
    assert meanwhile == [one.count for one in merged_histograms(engine, since=noon, component="Late")] == [1]


@pytest.mark.usefixtures("three_hours")
def test_hours_that_are_merged_are_read_from_the_snapshots_again(engine: sa.Engine, noon: datetime) -> None:
    roll_up(engine, noon + 3 * HOUR)
    before = merged_histograms(engine, since=noon)

    apply_retention(engine, RetentionPolicy({}, max_bytes=0), now=noon + timedelta(days=2, hours=4))

    after = merged_histograms(engine, since=noon)
    assert [pair for pair in zip(before, after, strict=True) if not same(*pair)] == []
    assert count(engine, performance_rollup) == 0
    with engine.connect() as connection:
        [oldest] = connection.execute(sa.select(sa.func.min(rollup_hour.c.period_start))).scalars()
    assert oldest > noon + 3 * HOUR


def test_snapshots_that_retention_takes_are_not_counted_from_their_roll_ups(
    engine: sa.Engine, daily: Any, now: datetime
) -> None:
    daily(2)
    roll_up(engine, now)
    policy = RetentionPolicy({performance_snapshot.name: 0.5}, max_bytes=0)
    before = sum(one.count for one in merged_histograms(engine, since=now - timedelta(days=3)))

    apply_retention(engine, policy, now=now)

    after = sum(one.count for one in merged_histograms(engine, since=now - timedelta(days=3)))
    assert (before, after) == (2, 1)


@pytest.mark.usefixtures("three_hours")
def test_forgotten_hours_are_read_from_the_snapshots(engine: sa.Engine, noon: datetime) -> None:
    before = merged_histograms(engine, since=noon)
    roll_up(engine, noon + 3 * HOUR)

    forget_hours(engine, noon + 2 * HOUR)

    after = merged_histograms(engine, since=noon)
    with engine.connect() as connection:
        left = set(connection.execute(sa.select(performance_rollup.c.period_start)).scalars())
    assert left == {noon + 2 * HOUR}
    assert [pair for pair in zip(before, after, strict=True) if not same(*pair)] == []


def test_what_is_left_of_a_time_without_some_hours(noon: datetime) -> None:
    held = [noon + HOUR, noon + 2 * HOUR, noon + 4 * HOUR]
    half = timedelta(minutes=30)

    assert list(unheld_spans(noon + half, None, held)) == [
        (noon + half, noon + HOUR), (noon + 3 * HOUR, noon + 4 * HOUR), (noon + 5 * HOUR, None),
    ]  # fmt: skip
    assert list(unheld_spans(noon + HOUR, noon + 5 * HOUR, held)) == [(noon + 3 * HOUR, noon + 4 * HOUR)]
    assert list(unheld_spans(noon, noon + HOUR, [])) == [(noon, noon + HOUR)]
