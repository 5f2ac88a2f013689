"""Minutes become hours, and every percentile over hours stays what it was."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.queries.snapshots import MetricSummary, merged_histograms, metric_windows
from e2edebug_schema.retention import hourly_snapshots
from e2edebug_schema.retention.hourly_snapshots import merge_hour, unmerged_hours
from e2edebug_schema.tables import performance_snapshot


@pytest.fixture
def minutes(rows: Any) -> None:
    """Three hours of two processes and two components, with readings and points beside the durations."""
    source = random.Random(7)
    for minute in range(180):
        for instance in ("one", "two"):
            for component in ("CartView", "CheckoutView"):
                values = [source.lognormvariate(3, 1) for _ in range(source.randrange(1, 30))]
                histogram = Histogram.of(values)
                rows.snapshot(
                    at_s=minute * 60, component=component, service_instance=instance, metric_kind="histogram",
                    metric_value=histogram.percentile(95), count=len(values), sum=sum(values), min=min(values),
                    max=max(values), buckets=histogram.encode(), error_count=minute % 2,
                    correlation_id=f"{component}-{instance}-{minute}",
                )  # fmt: skip
            rows.snapshot(
                at_s=minute * 60, layer="system", component="", metric_name="cpu_usage", unit="%", interval_s=0,
                service_instance=instance, metric_kind="gauge", metric_value=source.uniform(0, 100),
            )  # fmt: skip
        rows.snapshot(
            at_s=minute * 60 + source.random(), component="Cart", metric_kind="point", interval_s=0,
            metric_value=source.uniform(1, 500), metadata=f'{{"order": {minute}}}',
        )  # fmt: skip


def everything(engine: sa.Engine, since: datetime, period_s: int | None) -> list[MetricSummary]:
    found = []
    for metric_name in ("response_time", "cpu_usage"):
        found += merged_histograms(engine, since=since, metric_name=metric_name, period_s=period_s)
    return found


def merge_all(engine: sa.Engine, before: datetime) -> int:
    return sum(merge_hour(engine, hour) for hour in unmerged_hours(engine, before))


def same(one: MetricSummary, other: MetricSummary) -> bool:
    """Sums of floating point numbers depend on their order in the last digits; nothing else does."""
    exact = ("layer", "component", "metric_name", "unit", "period_start", "count", "error_count", "min", "max", "p50",
             "p95", "p99", "histogram", "worst_correlation_id")  # fmt: skip
    return all(getattr(one, name) == getattr(other, name) for name in exact) and one.sum == pytest.approx(other.sum)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("period_s", [None, 3600])
def test_every_percentile_over_hours_stays_exactly_what_it_was(
    engine: sa.Engine, noon: datetime, period_s: int | None
) -> None:
    before = everything(engine, noon, period_s)

    merge_all(engine, noon + timedelta(hours=3))

    after = everything(engine, noon, period_s)
    assert len(after) == len(before) > 0
    assert all(same(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.usefixtures("minutes")
def test_an_hour_is_one_row_per_component_and_metric(engine: sa.Engine, noon: datetime) -> None:
    merged = merge_all(engine, noon + timedelta(hours=3))

    windows = metric_windows(engine, since=noon)
    assert merged == 180 * 7
    assert len(windows) == 3 * 4
    assert {(window.interval_s, window.service_instance) for window in windows} == {(3600, "")}
    assert {window.timestamp for window in windows} == {noon + timedelta(hours=hour) for hour in range(3)}
    assert unmerged_hours(engine, noon + timedelta(hours=3)) == []


@pytest.mark.usefixtures("minutes")
def test_an_hour_that_is_not_over_is_left(engine: sa.Engine, noon: datetime) -> None:
    merge_all(engine, noon + timedelta(hours=1, minutes=59))

    hours = {window.timestamp.hour for window in metric_windows(engine, since=noon) if window.interval_s == 3600}
    assert hours == {12}


def test_rows_that_come_late_are_added_to_their_hour(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.snapshot(at_s=60, metric_kind="gauge", metric_value=10.0, service_instance="one")
    merge_all(engine, noon + timedelta(hours=1))
    rows.snapshot(at_s=120, metric_kind="gauge", metric_value=30.0, service_instance="two")

    merge_all(engine, noon + timedelta(hours=1))

    [window] = metric_windows(engine, since=noon)
    assert (window.count, window.sum, window.metric_value, window.min, window.max) == (2, 40.0, 20.0, 10.0, 30.0)


def test_what_the_application_said_of_a_series_keeps_series_apart(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for number in range(4):
        rows.snapshot(at_s=number * 60, metric_kind="gauge", metric_value=1.0, metadata=f'{{"pool":"{number % 2}"}}')

    merge_all(engine, noon + timedelta(hours=1))

    assert sorted(window.metadata["pool"] for window in metric_windows(engine, since=noon)) == ["0", "1"]


def test_the_counts_behind_a_rate_are_added_up(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    """Else each pair of counts would be a series, and equal pairs would lose their weight."""
    for minute, (hits, lookups) in enumerate([(3, 3), (0, 1), (3, 3), (0, 1)]):
        rows.snapshot(
            at_s=minute * 60, layer="cache", metric_name="hit_rate", unit="%", metric_kind="gauge",
            metric_value=100.0 * hits / lookups, metadata=f'{{"hits":{hits},"lookups":{lookups}}}',
        )  # fmt: skip
        rows.snapshot(
            at_s=minute * 60, metric_name="throughput", unit="1/s", metric_kind="gauge", metric_value=float(minute),
            metadata=f'{{"operations":{minute + 1},"errors":{hits}}}',
        )  # fmt: skip

    merge_all(engine, noon + timedelta(hours=1))

    throughput, hit_rate = sorted(metric_windows(engine, since=noon), key=lambda window: window.layer)
    assert (hit_rate.metric_value, hit_rate.metadata, hit_rate.count) == (75.0, {"hits": 6, "lookups": 8}, 4)
    assert (throughput.metric_value, throughput.metadata) == (1.5, {"operations": 10, "errors": 6})


def test_counts_that_come_late_are_added_to_their_hour(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for minute in range(2):
        rows.snapshot(
            at_s=minute * 60, metric_name="error_rate", unit="%", metric_kind="gauge", metric_value=50.0,
            metadata='{"operations":2,"errors":1}',
        )  # fmt: skip
        merge_all(engine, noon + timedelta(hours=1))

    [window] = metric_windows(engine, since=noon)
    assert (window.metric_value, window.metadata, window.count) == (50.0, {"operations": 4, "errors": 2}, 2)


def test_metadata_that_says_more_than_the_counts_stays(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for minute, shard in enumerate("ab"):
        rows.snapshot(
            at_s=minute * 60, metric_name="hit_rate", unit="%", metric_kind="gauge", metric_value=100.0,
            metadata=f'{{"hits":1,"lookups":1,"shard":"{shard}"}}',
        )  # fmt: skip

    merge_all(engine, noon + timedelta(hours=1))

    assert sorted(window.metadata["shard"] for window in metric_windows(engine, since=noon)) == ["a", "b"]


def test_a_row_without_a_value_is_merged_too(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.snapshot(metric_kind="gauge", metric_value=None, error_count=3)

    merge_all(engine, noon + timedelta(hours=1))

    [window] = metric_windows(engine, since=noon)
    assert (window.count, window.metric_value, window.error_count) == (0, None, 3)
    assert unmerged_hours(engine, noon + timedelta(hours=1)) == []


@pytest.mark.usefixtures("minutes")
def test_a_large_hour_is_merged_in_several_transactions(
    engine: sa.Engine, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(engine, noon, 3600)
    monkeypatch.setattr(hourly_snapshots, "ROWS_AT_ONCE", 17)

    merge_all(engine, noon + timedelta(hours=3))

    after = everything(engine, noon, 3600)
    assert all(same(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.usefixtures("minutes")
def test_merging_that_is_interrupted_goes_on_where_it_was(
    engine: sa.Engine, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(engine, noon, 3600)
    monkeypatch.setattr(hourly_snapshots, "ROWS_AT_ONCE", 10)

    first = unmerged_hours(engine, noon + timedelta(hours=3))[0]
    merge_hour(engine, first, goes_on=lambda _rows: False)
    merge_all(engine, noon + timedelta(hours=3))

    after = everything(engine, noon, 3600)
    assert all(same(one, other) for one, other in zip(before, after, strict=True))


def test_rows_that_somebody_else_has_merged_meanwhile_are_not_merged_twice(
    engine: sa.Engine, rows: Any, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.snapshot(metric_kind="gauge", metric_value=1.0)
    rows.snapshot(at_s=60, metric_kind="gauge", metric_value=2.0)
    [hour] = unmerged_hours(engine, noon + timedelta(hours=1))
    original = hourly_snapshots.merged_rows

    def overtaken(*arguments: Any) -> Any:
        with engine.begin() as connection:
            connection.execute(sa.delete(performance_snapshot).where(performance_snapshot.c.metric_value == 2.0))
        return original(*arguments)

    monkeypatch.setattr(hourly_snapshots, "merged_rows", overtaken)

    merge_hour(engine, hour)

    with reading(engine) as connection:
        values = connection.execute(sa.select(performance_snapshot.c.metric_value, performance_snapshot.c.interval_s))
        assert [tuple(row) for row in values] == [(1.0, 60.0)]
