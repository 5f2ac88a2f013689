"""Metrics: the stored windows, and what they say over any span of time.

Percentiles of windows are never averaged: their histograms are merged, in Python, because a percentile by ROW_NUMBER
took 26 s where this takes 0.1 s (reference measurements, section 2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Select, case, null, select

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.metric_sum import MetricSum
from e2edebug_schema.queries.reading import Source, columns_of, equals, reading, to_record
from e2edebug_schema.queries.rollups import HOUR_S, HeldHours, held_hours, unheld_spans
from e2edebug_schema.tables import LAYERS, performance_snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWindow:
    """What one process measured in one interval: the row of debugging_performance_snapshot."""

    id: int
    correlation_id: str | None
    """The worst request of the interval."""
    trace_id: str | None
    timestamp: datetime
    """The start of the interval."""
    interval_s: float
    service: str
    service_instance: str
    layer: str
    component: str
    metric_name: str
    metric_kind: str
    metric_value: float | None
    unit: str
    count: int
    sum: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    error_count: int
    buckets: str | None
    threshold_warning: float | None
    threshold_critical: float | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """One metric of one component over one period, all processes together."""

    layer: str
    component: str
    metric_name: str
    unit: str
    period_start: datetime | None
    """None when everything that was asked for is one period."""
    count: int
    error_count: int
    sum: float
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    histogram: Histogram
    worst_correlation_id: str | None
    """A request behind the highest value."""

    @property
    def mean(self) -> float | None:
        """The arithmetic mean of all values."""
        return self.sum / self.count if self.count else None


def metric_windows(
    source: Source,
    *,
    since: datetime,
    until: datetime | None = None,
    metric_name: str | None = None,
    layer: str | None = None,
    component: str | None = None,
    service: str | None = None,
    limit: int = 1000,
) -> list[MetricWindow]:
    """Return the newest stored windows first."""
    query = _restricted(
        select(*columns_of(performance_snapshot, MetricWindow)), since, until, metric_name, layer, component, service
    )
    query = query.order_by(performance_snapshot.c.timestamp.desc(), performance_snapshot.c.id.desc()).limit(limit)
    with reading(source) as connection:
        return [to_record(MetricWindow, row) for row in connection.execute(query)]


def merged_histograms(
    source: Source,
    *,
    since: datetime,
    until: datetime | None = None,
    metric_name: str = "response_time",
    layer: str | None = None,
    component: str | None = None,
    service: str | None = None,
    period_s: int | None = None,
) -> list[MetricSummary]:
    """Return one summary per layer, component, unit and period, in that order.

    period_s: the length of a period, 3600 for hours; periods start at multiples of it since 1970. None: one period.
    A recorded point or gauge reading counts as one value. Whole hours come from their roll-ups where these hold.
    """
    columns = performance_snapshot.c
    # As narrow as can be: each value costs the server, the line and the driver.
    query: Select[Any] = select(
        columns.layer, columns.component, columns.unit, columns.timestamp if period_s else null(),
        case((columns.buckets.is_(None), columns.metric_value)), columns.count, columns.sum, columns.min, columns.max,
        columns.error_count, columns.buckets, columns.correlation_id,
    )  # fmt: skip
    if layer is None:
        # All there are: an index begins with the layer.
        query = query.where(columns.layer.in_(LAYERS))
    place = {"layer": layer, "component": component, "service": service}
    with reading(source) as connection:
        held = HeldHours()
        if period_s is None or period_s % HOUR_S == 0:
            held = held_hours(connection, since=since, until=until, metric_name=metric_name, **place)
        # One statement for each span: SQLite looks only one range up in an index.
        windows = (
            connection.execute(_restricted(query, start, end, metric_name, **place))
            for start, end in unheld_spans(since, until, held.starts)
        )
        return _summaries(chain(held.rows, *windows), metric_name, period_s)


def _summaries(rows: Iterable[Any], metric_name: str, period_s: int | None) -> list[MetricSummary]:
    sums: dict[tuple[str, str, str, int], MetricSum] = {}
    # Unpacked by position: tens of thousands of rows a day, and a look-up by name costs as much as the merge.
    for layer, component, unit, timestamp, *values in rows:
        period = int(timestamp.timestamp()) // period_s * period_s if period_s else 0
        key = (layer, component, unit, period)
        found = sums.get(key)
        if found is None:
            found = sums[key] = MetricSum()
        found.add(*values)
    return [
        MetricSummary(
            layer=layer,
            component=component,
            metric_name=metric_name,
            unit=unit,
            period_start=datetime.fromtimestamp(period, UTC) if period_s else None,
            count=found.count,
            error_count=found.error_count,
            sum=found.total,
            min=found.histogram.minimum,
            max=found.histogram.maximum,
            p50=found.histogram.percentile(50),
            p95=found.histogram.percentile(95),
            p99=found.histogram.percentile(99),
            histogram=found.histogram,
            worst_correlation_id=found.worst_correlation_id,
        )
        for (layer, component, unit, period), found in sorted(sums.items(), key=lambda item: item[0])
    ]


def _restricted(
    query: Select[Any],
    since: datetime,
    until: datetime | None,
    metric_name: str | None,
    layer: str | None,
    component: str | None,
    service: str | None,
) -> Select[Any]:
    columns = performance_snapshot.c
    query = query.where(columns.timestamp >= since)
    if until is not None:
        query = query.where(columns.timestamp < until)
    wanted = {"metric_name": metric_name, "layer": layer, "component": component, "service": service}
    return query.where(*(equals(columns[name], value) for name, value in wanted.items() if value is not None))
