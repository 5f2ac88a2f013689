"""Durations of many steps, counted by the server: a row per bucket of the histogram comes back, not a row per step.

Reading a row costs PyMySQL 17 microseconds, so a day's statements would take ten seconds to fetch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, select

from e2edebug_schema.histogram import SCALE, Histogram
from e2edebug_schema.sqlite_session import BUCKET_FUNCTION
from e2edebug_schema.tables import trace_step

Key = tuple[Any, ...]


@dataclass(slots=True)
class Durations:
    """What the steps of one group took together."""

    count: int = 0
    failed: int = 0
    total_ms: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    @property
    def mean_ms(self) -> float:
        """The arithmetic mean."""
        return self.total_ms / self.count

    @property
    def max_ms(self) -> float:
        """The longest."""
        return self.histogram.maximum or 0.0

    @property
    def p95_ms(self) -> float:
        """The 95th percentile, within one bucket (9 %) of the exact one."""
        return self.histogram.percentile(95) or 0.0


def durations_by(
    connection: Connection, keys: Sequence[ColumnElement[Any]], conditions: Iterable[ColumnElement[bool]]
) -> dict[Key, Durations]:
    """Return the durations of the steps that fulfil *conditions*, by the values of *keys*."""
    duration = trace_step.c.duration_ms
    bucket = bucket_of(connection, duration)
    query = (
        select(
            *keys, bucket, func.count(), func.sum(duration), func.min(duration), func.max(duration),
            func.sum(case((trace_step.c.status == "failed", 1), else_=0)),
        )
        .where(*conditions, duration.is_not(None))
        .group_by(*keys, bucket)
    )  # fmt: skip
    found: dict[Key, Durations] = {}
    for *key, index, count, total_ms, shortest, longest, failed in connection.execute(query).all():
        durations = found.setdefault(tuple(key), Durations())
        durations.count += count
        durations.failed += int(failed)
        durations.total_ms += total_ms
        counted = Histogram(minimum=shortest, maximum=longest)
        if index is None:
            counted.zero_count = count
        else:
            counted.counts[int(index)] = count
        durations.histogram.merge(counted)
    return found


def longest_of(
    connection: Connection,
    keys: Sequence[ColumnElement[Any]],
    conditions: Iterable[ColumnElement[bool]],
    durations: Mapping[Key, Durations],
) -> dict[Key, str]:
    """Return the correlation id of a longest step of each group. durations: what durations_by() said of the groups."""
    columns = trace_step.c
    longest = sorted({found.max_ms for found in durations.values()})
    query = select(*keys, columns.duration_ms, columns.correlation_id).where(
        *conditions, columns.duration_ms.in_(longest)
    )
    return {
        tuple(key): correlation_id
        for *key, duration_ms, correlation_id in sorted(connection.execute(query).all(), key=lambda row: row[-1])
        if tuple(key) in durations and durations[tuple(key)].max_ms == duration_ms
    }


def bucket_of(connection: Connection, duration: ColumnElement[float]) -> ColumnElement[Any]:
    """The index of Histogram; NULL for zero and below."""
    if connection.dialect.name == "sqlite":
        # SQLite's own logarithm is not in every build.
        index: ColumnElement[int] = getattr(func, BUCKET_FUNCTION)(duration)
        return index
    return cast(func.ceil(func.log2(duration) * 2**SCALE) - 1, Integer)
