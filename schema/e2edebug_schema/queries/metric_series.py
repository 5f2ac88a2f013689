"""Snapshots as one series per target, and what a window of a series comes to.

The aggregation is here, in one place, for whoever judges: live evaluation, catching up, back tests and trends.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from e2edebug_schema.histogram import Histogram

COUNTED_METRICS: Final = {"error_rate": "response_time", "throughput": "response_time"}
"""Metrics that follow from the counts of another one; rows of their own name count where there are no such counts."""

Key = tuple[str, str, str]
"""Layer, metric and component."""


class SeriesRow(NamedTuple):
    """What evaluation reads of one snapshot."""

    id: int
    layer: str
    metric_name: str
    component: str
    timestamp: datetime
    interval_s: float
    metric_value: float | None
    samples: int
    sum: float | None
    min: float | None
    max: float | None
    error_count: int
    buckets: str | None
    correlation_id: str | None
    lookups: int = 0
    """Of a share such as a hit rate: how many cases it is the share of."""


class Aggregate(NamedTuple):
    """One value for the rows of a window."""

    value: float
    samples: int
    examples: tuple[str, ...] = ()
    """Requests behind the worst values, the worst first."""


MOST_EXAMPLES: Final = 3


def aggregate(
    rows: Sequence[SeriesRow], metric_name: str, aggregation: str, *, window_s: float, lower_is_worse: bool = False
) -> Aggregate | None:
    """Return what *rows*, in the order of time, come to as *metric_name*; None when they hold no value."""
    count = sum(row.samples if row.buckets is not None or row.sum is not None else 0 for row in rows)
    if metric_name in COUNTED_METRICS and rows and rows[0].metric_name == COUNTED_METRICS[metric_name]:
        if not count:
            return None
        value = (
            100.0 * sum(row.error_count for row in rows) / count if metric_name == "error_rate" else count / window_s
        )
        return Aggregate(value, count, _worst(rows, lower_is_worse=lower_is_worse))
    known = [row for row in rows if row.buckets is not None or row.metric_value is not None]
    if not known:
        return None
    value_or_none = _aggregated(known, aggregation)
    if value_or_none is None:
        return None
    return Aggregate(
        value_or_none,
        sum(row.lookups or max(row.samples, 1) for row in known),
        _worst(known, lower_is_worse=lower_is_worse),
    )


def _aggregated(rows: Sequence[SeriesRow], aggregation: str) -> float | None:
    if aggregation == "last":
        return rows[-1].metric_value
    if aggregation == "min":
        return min((low for row in rows if (low := _low(row)) is not None), default=None)
    if aggregation == "max":
        return max((high for row in rows if (high := _high(row)) is not None), default=None)
    if aggregation == "mean":
        if all(row.lookups for row in rows):
            return sum((row.metric_value or 0.0) * row.lookups for row in rows) / sum(row.lookups for row in rows)
        count = sum(max(row.samples, 1) for row in rows)
        total = sum(row.sum if row.sum is not None else (row.metric_value or 0.0) for row in rows)
        return total / count if count else None
    return merged(rows).percentile({"p50": 50, "p95": 95, "p99": 99}[aggregation])


def merged(rows: Iterable[SeriesRow]) -> Histogram:
    """Return the distribution of all values; a reading without a distribution counts as one value."""
    whole = Histogram()
    for row in rows:
        if row.buckets is not None:
            whole.merge(Histogram.decode(row.buckets, minimum=row.min, maximum=row.max))
        elif row.metric_value is not None:
            whole.add(row.metric_value)
    return whole


def _low(row: SeriesRow) -> float | None:
    return row.min if row.min is not None else row.metric_value


def _high(row: SeriesRow) -> float | None:
    return row.max if row.max is not None else row.metric_value


def _worst(rows: Sequence[SeriesRow], *, lower_is_worse: bool) -> tuple[str, ...]:
    found: dict[str, float] = {}
    for row in rows:
        value = _low(row) if lower_is_worse else _high(row)
        if value is None or row.correlation_id is None:
            continue
        badness = -value if lower_is_worse else value
        found[row.correlation_id] = max(badness, found.get(row.correlation_id, badness))
    return tuple(sorted(found, key=lambda one: (-found[one], one))[:MOST_EXAMPLES])


class MetricSeries:
    """The rows of many targets in memory, for looking at one window after another."""

    def __init__(self, rows: Iterable[SeriesRow]) -> None:
        self._rows: dict[Key, list[SeriesRow]] = {}
        for row in rows:
            self._rows.setdefault((row.layer, row.metric_name, row.component), []).append(row)
        for series in self._rows.values():
            series.sort(key=lambda row: (row.timestamp, row.id))
        self._times = {key: [row.timestamp for row in series] for key, series in self._rows.items()}
        self._reach = {
            key: timedelta(seconds=max((row.interval_s for row in series), default=0.0))
            for key, series in self._rows.items()
        }

    def keys(self, layer: str, metric_name: str) -> list[Key]:
        """Return the targets of one layer that *metric_name* can be told of."""
        stored = COUNTED_METRICS.get(metric_name)
        components = {key[2] for key in self._rows if key[0] == layer and key[1] in (metric_name, stored)}
        return [(layer, metric_name, component) for component in sorted(components)]

    def rows(self, key: Key, *, start: datetime, end: datetime) -> list[SeriesRow]:
        """Return the rows of *key* that overlap the window from *start* to before *end*, in the order of time."""
        layer, metric_name, component = key
        stored = COUNTED_METRICS.get(metric_name)
        found = self._between((layer, stored, component), start, end) if stored is not None else []
        return found or self._between(key, start, end)

    def has_rows(self, *, start: datetime, end: datetime) -> bool:
        """Tell whether anything at all was measured between the two."""
        return any(self._between(key, start, end) for key in self._rows)

    def _between(self, key: Key, start: datetime, end: datetime) -> list[SeriesRow]:
        times = self._times.get(key)
        if times is None:
            return []
        first = bisect_left(times, start - self._reach[key])
        series = self._rows[key]
        return [
            row
            for row in series[first : bisect_left(times, end)]
            if row.timestamp >= start or row.timestamp + timedelta(seconds=row.interval_s) > start
        ]
