"""Hits and misses become one snapshot per cache and interval."""

from typing import Any

from support.spans import make_span

from e2edebug.policy import attributes as names
from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.span_metrics import SpanMetrics


def lookup(alias: str, hits: int, misses: int) -> Any:
    return make_span(
        attributes={
            names.LAYER: "cache",
            names.COMPONENT: alias,
            names.CACHE_HITS: hits,
            names.CACHE_MISSES: misses,
        }
    )


def test_each_alias_has_a_hit_rate_in_percent_per_interval() -> None:
    clock = iter([1_000_000_000_000_000_000, 1_000_000_060_000_000_000])
    metrics = SpanMetrics(now_unix_ns=lambda: next(clock))
    for span in (lookup("default", 1, 0), lookup("default", 1, 2), lookup("sessions", 1, 0)):
        metrics.record(span)
    metrics.record(make_span(attributes={names.LAYER: "cache", names.COMPONENT: "default"}))  # a set

    data = metrics.collect()

    assert data is not None
    batch = RowBatch()
    RowMapper(redactor=Redactor()).add_metrics(batch, data)
    rows = {row.component: row for row in batch.snapshots if row.metric_name == "hit_rate"}
    assert {alias: (row.layer, row.metric_value, row.unit, row.interval_s) for alias, row in rows.items()} == {
        "default": ("cache", 50.0, "%", 60.0),
        "sessions": ("cache", 100.0, "%", 60.0),
    }
    assert '"lookups":4' in rows["default"].metadata
    assert {row.component for row in batch.snapshots if row.metric_name == "response_time"} == {"default", "sessions"}


def test_an_interval_without_look_ups_has_no_hit_rate() -> None:
    metrics = SpanMetrics()
    metrics.record(make_span(attributes={names.LAYER: "cache", names.COMPONENT: "default"}))

    data = metrics.collect()

    assert data is not None
    names_of_metrics = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert "response_time" in names_of_metrics
    assert "hit_rate" not in names_of_metrics


def test_redelivery_of_a_hit_rate_is_the_same_row() -> None:
    metrics = SpanMetrics(now_unix_ns=iter([10**18, 10**18 + 60 * 10**9]).__next__)
    metrics.record(lookup("default", 3, 1))
    data = metrics.collect()

    assert data is not None
    keys = []
    for _ in range(2):
        batch = RowBatch()
        RowMapper(redactor=Redactor()).add_metrics(batch, data)
        keys.append([row.event_key for row in batch.snapshots])
    assert keys[0] == keys[1]
