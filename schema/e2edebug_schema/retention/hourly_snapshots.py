"""Snapshots that are older than two days become one row per hour and series.

Histograms of one scale add up bucket by bucket, so whatever percentile a reader asks for over whole hours is the one it
would have got from the minutes. Readings (gauges, points) become the histogram that readers make of them anyway, and the counts
behind a rate are added up. What is given up: the single processes and minutes, and of the correlation ids all but the
worst one's.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Engine, Row, String, and_, cast, delete, func, insert, not_, select

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.queries.rollups import HOUR_S, start_of_hour
from e2edebug_schema.tables import performance_snapshot

ROWS_AT_ONCE: Final = 2000
"""Rows that are merged in one transaction."""

COUNTS_OF_RATES: Final = {
    "error_rate": ("errors", "operations"),
    "throughput": ("errors", "operations"),
    "hit_rate": ("hits", "lookups"),
}
"""What the metadata of these metrics count, a part and its whole. They differ from minute to minute: taken for what
keeps series apart, they left an hour of four processes as dozens of rows, and lost the weight of equal ones."""

_SHARES: Final = ("error_rate", "hit_rate")
_columns: Final = performance_snapshot.c
_IS_MERGED: Final = and_(_columns.interval_s == HOUR_S, _columns.service_instance == "")


class UnmergedHour(NamedTuple):
    """Rows of one metric of one layer in one hour that are not merged yet."""

    start: datetime
    layer: str
    metric_name: str
    rows: int


def unmerged_hours(engine: Engine, before: datetime) -> list[UnmergedHour]:
    """Return what there is to merge before the hour of *before*, oldest first."""
    hour = func.substr(cast(_columns.timestamp, String(26)), 1, 13)
    query = (
        select(hour, _columns.layer, _columns.metric_name, func.count())
        .where(_columns.timestamp < start_of_hour(before), not_(_IS_MERGED))
        .group_by(hour, _columns.layer, _columns.metric_name)
    )
    with reading(engine) as connection:
        found = [
            UnmergedHour(datetime.fromisoformat(f"{text}:00:00").replace(tzinfo=UTC), layer, metric_name, rows)
            for text, layer, metric_name, rows in connection.execute(query)
        ]
    return sorted(found)


def merge_hour(engine: Engine, hour: UnmergedHour, *, goes_on: Callable[[int], bool] = lambda _merged: True) -> int:
    """Merge the rows of *hour*, those of late processes into what was merged before; return how many.

    goes_on: asked after each transaction, with its rows; False ends it. One process at a time may do this.
    """
    merged = 0
    while True:
        rows = _rows(engine, hour, not_(_IS_MERGED), ROWS_AT_ONCE)
        if not rows:
            return merged
        before = _rows(engine, hour, _IS_MERGED, None)
        new = merged_rows(hour.start, [*before, *rows])
        with engine.begin() as connection:
            gone = sorted(row.id for row in (*rows, *before))
            deleted = connection.execute(delete(performance_snapshot).where(_columns.id.in_(gone), *_within(hour)))
            if deleted.rowcount != len(gone):
                connection.rollback()  # somebody else was at it, too: their rows stand
                return merged
            connection.execute(insert(performance_snapshot), new)
        merged += len(rows)
        if not goes_on(len(rows)):
            return merged


def merged_rows(start: datetime, rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the rows, by column, that *rows* of one layer, metric and hour become."""
    hours: defaultdict[_Series, _Hour] = defaultdict(lambda: _Hour(Histogram()))
    for row in rows:
        counts = _counts(row)
        hours[_series(row, is_counted=counts is not None)].add(row, counts)
    return [_row(start, series, hour) for series, hour in sorted(hours.items())]


def _rows(engine: Engine, hour: UnmergedHour, condition: ColumnElement[bool], limit: int | None) -> Sequence[Row[Any]]:
    query = select(performance_snapshot).where(*_within(hour), condition).order_by(_columns.timestamp, _columns.id)
    with reading(engine) as connection:
        return connection.execute(query.limit(limit)).all()


def _within(hour: UnmergedHour) -> tuple[ColumnElement[bool], ...]:
    return (
        _columns.layer == hour.layer,
        _columns.metric_name == hour.metric_name,
        _columns.timestamp >= hour.start,
        _columns.timestamp < hour.start + timedelta(seconds=HOUR_S),
    )


class _Series(NamedTuple):
    """What one row of an hour stands for."""

    service: str
    component: str
    metric_kind: str
    unit: str
    metadata: str


@dataclass(slots=True)
class _Hour:
    """The sum of a series while its rows are read."""

    histogram: Histogram
    count: int = 0
    total: float = 0.0
    error_count: int = 0
    worst_value: float = -math.inf
    correlation_id: str | None = None
    trace_id: str | None = None
    newest: Any = None
    counts: tuple[int, int] | None = None

    def add(self, row: Any, counts: tuple[int, int] | None) -> None:
        if counts is not None:
            part, whole = self.counts or (0, 0)
            self.counts = (part + counts[0], whole + counts[1])
        if row.buckets is not None:
            self.histogram.merge(Histogram.decode(row.buckets, minimum=row.min, maximum=row.max))
            self.count += row.count
            self.total += row.sum or 0.0
            highest = row.max
        elif row.metric_value is not None:
            self.histogram.add(row.metric_value)
            self.count += 1
            self.total += row.metric_value
            highest = row.metric_value
        else:
            highest = None
        self.error_count += row.error_count
        # As readers choose it: the first of the rows with the highest value that names a workflow.
        if highest is not None and highest > self.worst_value and row.correlation_id is not None:
            self.worst_value, self.correlation_id, self.trace_id = highest, row.correlation_id, row.trace_id
        if self.newest is None or row.timestamp >= self.newest.timestamp:
            self.newest = row


def _series(row: Any, *, is_counted: bool) -> _Series:
    # What was said with a value recorded by hand belongs to that value; it would make each a series of its own.
    metadata = "{}" if row.metric_kind == "point" or is_counted else row.metadata
    return _Series(row.service, row.component, row.metric_kind, row.unit, metadata)


def _counts(row: Any) -> tuple[int, int] | None:
    """The counts that a rate was made of, when the metadata say nothing else."""
    names = COUNTS_OF_RATES.get(row.metric_name)
    if names is None or row.metric_kind != "gauge":
        return None
    try:
        told = json.loads(row.metadata)
    except ValueError:
        return None
    if not isinstance(told, dict) or sorted(told) != sorted(names):
        return None
    part, whole = (told[name] for name in names)
    return (part, whole) if type(part) is int and type(whole) is int and whole > 0 else None


def _row(start: datetime, series: _Series, hour: _Hour) -> dict[str, Any]:
    newest, histogram = hour.newest, hour.histogram
    p50, p95, p99 = (histogram.percentile(percent) for percent in (50, 95, 99))
    value = hour.total / hour.count if hour.count else None
    metadata = series.metadata
    if hour.counts is not None:
        metadata = json.dumps(dict(zip(COUNTS_OF_RATES[newest.metric_name], hour.counts, strict=True)))
        if newest.metric_name in _SHARES:
            value = 100.0 * hour.counts[0] / hour.counts[1]
    key = "\0".join(("hour", newest.layer, newest.metric_name, *series, start.isoformat()))
    return {
        "event_key": sha256(key.encode()).hexdigest()[:32],
        "correlation_id": hour.correlation_id,
        "trace_id": hour.trace_id,
        "timestamp": start,
        "interval_s": HOUR_S,
        "service": series.service,
        "service_instance": "",
        "layer": newest.layer,
        "component": series.component,
        "metric_name": newest.metric_name,
        "metric_kind": series.metric_kind,
        "metric_value": p95 if series.metric_kind == "histogram" else value,
        "unit": series.unit,
        "count": hour.count,
        "sum": hour.total if hour.count else None,
        "min": histogram.minimum,
        "max": histogram.maximum,
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "error_count": hour.error_count,
        "buckets": histogram.encode() if hour.count else None,
        "threshold_warning": newest.threshold_warning,
        "threshold_critical": newest.threshold_critical,
        "metadata": metadata,
    }
