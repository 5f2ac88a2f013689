"""How many errors a period has, of which kinds. The counts of two periods add up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import error_group, error_log


class ErrorKind(NamedTuple):
    """What errors are counted by."""

    layer: str
    component: str
    error_type: str
    severity: str
    resolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """How many groups are in which state."""

    status: str
    groups: int


def error_counts(source: Source, *, since: datetime, until: datetime) -> Counter[ErrorKind]:
    """Return how many errors of each kind happened from *since* on and before *until*."""
    columns = error_log.c
    kinds = [columns.layer, columns.component, columns.error_type, columns.severity, columns.resolved]
    query = (
        select(*kinds, func.count())
        .where(columns.timestamp >= since, columns.timestamp < until)
        .group_by(*kinds)
    )  # fmt: skip
    with reading(source) as connection:
        return Counter({ErrorKind(*kind): count for *kind, count in connection.execute(query)})


def merged_error_counts(periods: Iterable[Counter[ErrorKind]]) -> Counter[ErrorKind]:
    """Return the counts of several periods together."""
    total: Counter[ErrorKind] = Counter()
    for period in periods:
        total.update(period)
    return total


def group_counts(source: Source, *, since: datetime) -> list[GroupCounts]:
    """Return how many of the error groups seen from *since* on are in each status, by status."""
    columns = error_group.c
    query = (
        select(columns.status, func.count())
        .where(columns.last_seen >= since)
        .group_by(columns.status)
        .order_by(columns.status)
    )
    with reading(source) as connection:
        return [GroupCounts(status=status, groups=count) for status, count in connection.execute(query)]
