"""Stored windows of metrics, and what they say together."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.snapshots import merged_histograms, metric_windows


def window(values: list[float], **others: Any) -> dict[str, Any]:
    histogram = Histogram.of(values)
    return {
        "metric_kind": "histogram", "count": len(values), "sum": sum(values), "min": min(values), "max": max(values),
        "buckets": histogram.encode(), "metric_value": histogram.percentile(95), **others,
    }  # fmt: skip


def test_windows_come_newest_first_and_by_what_was_asked_for(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.snapshot(at_s=-1, **window([1.0]))
    rows.snapshot(at_s=0, **window([2.0], correlation_id="a"))
    rows.snapshot(at_s=60, **window([3.0]))
    rows.snapshot(at_s=60, layer="system", metric_name="cpu_usage", metric_value=40.0, metric_kind="gauge")

    everything = metric_windows(engine, since=noon)
    api = metric_windows(engine, since=noon, layer="api", metric_name="response_time")

    assert [found.metric_value for found in everything] == [40.0, 3.0, 2.0]
    assert [(found.max, found.correlation_id) for found in api] == [(3.0, None), (2.0, "a")]


def test_percentiles_of_windows_are_merged_not_averaged(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    """99 fast requests in one process and one slow one in another: the p95 of both is fast."""
    rows.snapshot(**window([10.0] * 99, service_instance="one", error_count=2))
    rows.snapshot(**window([1000.0], service_instance="two", correlation_id="slow"))

    [summary] = merged_histograms(engine, since=noon)

    assert summary.p95 == pytest.approx(10.0, rel=0.09)
    assert (summary.count, summary.error_count, summary.sum, summary.mean) == (100, 2, 1990.0, 19.9)
    assert (summary.min, summary.max, summary.worst_correlation_id) == (10.0, 1000.0, "slow")
    assert summary.period_start is None


def test_summaries_are_cut_by_period_and_component(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.snapshot(at_s=0, **window([10.0]))
    rows.snapshot(at_s=1800, **window([20.0]))
    rows.snapshot(at_s=3600, **window([30.0]))
    rows.snapshot(at_s=3600, component="CartView", **window([40.0]))

    summaries = merged_histograms(engine, since=noon, period_s=3600)

    one = datetime(2026, 11, 23, 13, tzinfo=UTC)
    assert [(found.component, found.period_start, found.count, found.max) for found in summaries] == [
        ("CartView", one, 1, 40.0), ("CheckoutView", noon, 2, 20.0), ("CheckoutView", one, 1, 30.0),
    ]  # fmt: skip


def test_a_recorded_point_counts_as_one_value(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.snapshot(**window([10.0, 10.0]))
    rows.snapshot(metric_kind="point", metric_value=70.0, correlation_id="a")

    [summary] = merged_histograms(engine, since=noon)

    assert (summary.count, summary.sum, summary.max, summary.worst_correlation_id) == (3, 90.0, 70.0, "a")


def test_a_window_without_a_value_says_nothing(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    """What was not a finite number is stored as NULL."""
    rows.snapshot(metric_kind="gauge", metric_value=None)

    [summary] = merged_histograms(engine, since=noon)

    assert (summary.count, summary.mean, summary.p95) == (0, None, None)
