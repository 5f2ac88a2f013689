"""Statistics, summaries and series for pages that are asked for again and again."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.error_summary import (
    ErrorKind,
    GroupCounts,
    error_counts,
    group_counts,
    merged_error_counts,
)
from e2edebug_schema.queries.metric_over_time import metric_series
from e2edebug_schema.queries.session_statistics import merged_counts, workflow_counts
from e2edebug_schema.queries.system_health import active_workflow_count, answers, error_counts_by_layer

HOUR = timedelta(hours=1)


def test_workflows_are_counted_by_type_and_status(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.session("a", duration_ms=100)
    rows.session("b", duration_ms=300, status="failed", error_count=2)
    rows.session("c", duration_ms=None, status="in_progress")
    rows.session("d", duration_ms=0)
    rows.session("e", workflow_type="login", duration_ms=40)
    rows.session("before", at_ms=-1)
    rows.session("after", at_ms=3_600_000)

    checkout, login = workflow_counts(engine, since=noon, until=noon + HOUR)

    assert checkout.by_status == {"completed": 2, "failed": 1, "in_progress": 1}
    assert (checkout.count, checkout.with_errors, checkout.timed) == (4, 1, 3)
    assert checkout.mean_ms == pytest.approx(400 / 3)
    assert (checkout.durations.minimum, checkout.durations.maximum) == (0, 300)
    assert checkout.durations.percentile(99) == pytest.approx(300, rel=0.1)
    assert (login.workflow_type, login.count, login.mean_ms) == ("login", 1, 40)


def test_the_counts_of_two_hours_are_those_of_both_together(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for number in range(40):
        status, kind = ("failed" if number % 3 else "completed"), ("login" if number % 2 else "checkout")
        rows.session(
            f"s{number}", at_ms=number * 180_000, duration_ms=2.0**number / 1e6, status=status, workflow_type=kind
        )
    hours = [workflow_counts(engine, since=noon + n * HOUR, until=noon + (n + 1) * HOUR) for n in range(2)]

    together = merged_counts(hours)

    whole = workflow_counts(engine, since=noon, until=noon + 2 * HOUR)
    assert [(one.workflow_type, one.by_status, one.durations) for one in together] == [
        (one.workflow_type, one.by_status, one.durations) for one in whole
    ]
    assert [one.total_ms for one in together] == pytest.approx([one.total_ms for one in whole])


def test_no_workflow_has_no_mean(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.session("a", duration_ms=None, status="in_progress")

    [counts] = workflow_counts(engine, since=noon, until=noon + HOUR)

    assert (counts.mean_ms, counts.durations.percentile(95)) == (None, None)


def test_errors_are_counted_by_kind(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.error()
    rows.error(at_ms=1)
    rows.error(at_ms=2, severity="critical", resolved=True)
    rows.error(at_ms=3_600_000)

    found = error_counts(engine, since=noon, until=noon + HOUR)

    assert found == Counter(
        {
            ErrorKind("api", "CheckoutView", "ValueError", "error", False): 2,
            ErrorKind("api", "CheckoutView", "ValueError", "critical", True): 1,
        }
    )
    assert merged_error_counts([found, found]).total() == 6


def test_groups_are_counted_by_status(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for number, status in enumerate(["unresolved", "unresolved", "regressed"], start=1):
        rows.group(number, status=status, seen_ms=10)
    rows.group(9, seen_ms=-10)

    assert group_counts(engine, since=noon) == [
        GroupCounts(status="regressed", groups=1),
        GroupCounts(status="unresolved", groups=2),
    ]


def test_a_series_merges_its_components_and_compares_with_the_time_before(
    engine: sa.Engine, rows: Any, noon: datetime
) -> None:
    def window(at_s: float, values: list[float], **more: Any) -> None:
        histogram = Histogram.of(values)
        rows.snapshot(
            at_s=at_s, buckets=histogram.encode(), count=len(values), sum=sum(values), min=min(values),
            max=max(values), metric_value=histogram.percentile(95), metric_kind="histogram", **more,
        )  # fmt: skip

    window(0, [10, 20], correlation_id="small")
    window(30, [400], component="CartView", correlation_id="large", error_count=1)
    window(70, [50])
    window(-60, [5, 5, 5])
    window(10, [9000], layer="database")

    series = metric_series(
        engine, layer="api", metric_name="response_time", since=noon, until=noon + timedelta(minutes=2), period_s=60
    )

    assert series.unit == "ms"
    assert [(point.period_start, point.count, point.max) for point in series.points] == [
        (noon, 3, 400.0),
        (noon + timedelta(minutes=1), 1, 50.0),
    ]
    assert (series.current.count, series.current.error_count, series.current.mean) == (4, 1, 120)
    assert series.current.worst_correlation_id == "large"
    assert (series.previous.count, series.previous.since, series.previous.until) == (
        3,
        noon - timedelta(minutes=2),
        noon,
    )
    assert series.current.p95 == Histogram.of([10, 20, 400, 50]).percentile(95)


def test_a_series_without_values_is_empty(engine: sa.Engine, noon: datetime) -> None:
    series = metric_series(
        engine, layer="api", metric_name="hit_rate", since=noon, until=noon + HOUR, period_s=60, component="none"
    )

    assert (series.points, series.unit, series.current.count, series.current.mean) == ([], "", 0, None)
    assert (series.previous.p95, series.previous.worst_correlation_id) == (None, None)


def test_what_runs_and_fails_now_is_counted(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.session("a", status="in_progress")
    rows.session("b", status="in_progress", at_ms=-1)
    rows.session("c")
    rows.error()
    rows.error(layer="database")
    rows.error(at_ms=-1)

    assert active_workflow_count(engine, since=noon) == 1
    assert error_counts_by_layer(engine, since=noon) == {"api": 1, "database": 1}
    answers(engine)
