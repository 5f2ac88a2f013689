"""Roll-ups as readers meet them: the hours that hold, with their sums, and the time between them.

Whoever adds hours to snapshots reads the hours first, by held_hours(), and then the snapshots of no other time than
unheld_spans() says: so nothing is counted twice or left out, whatever is summed up, merged or delivered meanwhile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, null, select

from e2edebug_schema.queries.reading import equals
from e2edebug_schema.rollup_tables import performance_rollup, rollup_hour

HOUR_S: Final = 3600
_HOUR: Final = timedelta(seconds=HOUR_S)

Span = tuple[datetime, datetime | None]
"""From a moment up to another one; None is no end."""


@dataclass(slots=True)
class HeldHours:
    """Hours whose roll-up holds, and what it says of the metric that was asked for."""

    starts: list[datetime] = field(default_factory=list)
    """Ascending. An hour without such a metric is among them, too."""
    rows: list[Any] = field(default_factory=list)
    """Layer, component, unit, start of the hour, and the arguments of MetricSum.add()."""


def held_hours(
    connection: Connection,
    *,
    since: datetime,
    until: datetime | None,
    metric_name: str,
    layer: str | None = None,
    component: str | None = None,
    service: str | None = None,
) -> HeldHours:
    """Return the whole hours between *since* and *until* that are summed up; one statement, or none if there is no whole hour."""
    first = start_of_hour(since)
    if first < since:
        first += _HOUR
    held = HeldHours()
    if until is not None and first + _HOUR > until:
        return held
    state, sums = rollup_hour.c, performance_rollup.c
    wanted = {"layer": layer, "component": component, "service": service}
    of_metric = and_(
        sums.period_start == state.period_start,
        equals(sums.metric_name, metric_name),
        *(equals(sums[name], value) for name, value in wanted.items() if value is not None),
    )
    query = (
        select(
            state.period_start, sums.layer, sums.component, sums.unit, null(), sums.count, sums.sum, sums.min, sums.max,
            sums.error_count, sums.buckets, sums.correlation_id,
        )
        .select_from(rollup_hour.outerjoin(performance_rollup, of_metric))
        .where(state.period_start >= first, state.summed_version == state.version)
    )  # fmt: skip
    if until is not None:
        query = query.where(state.period_start <= until - _HOUR)
    starts = set()
    for start, of_layer, of_component, unit, *values in connection.execute(query):
        starts.add(start)
        if of_layer is not None:
            held.rows.append((of_layer, of_component, unit, start, *values))
    held.starts = sorted(starts)
    return held


def unheld_spans(since: datetime, until: datetime | None, held: Iterable[datetime]) -> Iterator[Span]:
    """Yield what is left of the time from *since* to *until* without the hours *held*, which are ascending."""
    at = since
    for start in held:
        if start > at:
            yield at, start
        at = start + _HOUR
    if until is None or at < until:
        yield at, until


def start_of_hour(moment: datetime) -> datetime:
    """Return the beginning (UTC) of the hour of *moment*."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
