"""Hours of metrics are summed up soon after they are over, so that reading a day does not read every minute of every process.

The snapshots stay as they are; a roll-up is a copy of what they come to. What it was made of is told by a version: an
hour that is over is *claimed* (a row of debugging_rollup_hour), from then on every delivery of snapshots of that hour
adds one to its version, in the transaction that stores them, and a roll-up holds for the version that it was made of.
A late delivery, out of a spool say, so puts the roll-up of its hour out of force at once, and the next run makes it
anew. Until an hour is claimed, writers touch nothing: no row that all of them would queue for.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, case, delete, insert, or_, select, update

from e2edebug_schema.queries.metric_sum import MetricSum
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.queries.rollups import start_of_hour
from e2edebug_schema.retention.policy import MERGE_AFTER
from e2edebug_schema.rollup_tables import performance_rollup, rollup_hour
from e2edebug_schema.tables import performance_snapshot

HOUR: Final = timedelta(hours=1)
SETTLED_AFTER: Final = timedelta(minutes=10)
"""From the claim of an hour to its sum. A transaction that began before the claim, and so left the version alone, must be
over by then; a batch has a minute, and none of a host is open for so long. The last minute's snapshots arrive meanwhile."""
SLICE: Final = timedelta(minutes=5)
"""How much is read at once: an hour of a large service would be tens of thousands of rows in memory."""

_Series = tuple[str, str, str, str, str]


def roll_up_hours(engine: Engine, now: datetime, *, goes_on: Callable[[int], bool] = lambda _rows: True) -> int:
    """Claim the hours that are over, sum up those that have settled or changed, and return how many those were.

    One process at a time may do this. Hours that are merged (MERGE_AFTER) are few rows already and are left.
    """
    over, oldest = start_of_hour(now), start_of_hour(now - MERGE_AFTER) + HOUR
    _claim(engine, [oldest + HOUR * number for number in range((over - oldest) // HOUR)], now)
    columns, summed = rollup_hour.c, 0
    due = (
        select(columns.period_start, columns.version)
        .where(
            columns.period_start >= oldest,
            columns.period_start < over,
            columns.claimed_at <= now - SETTLED_AFTER,
            or_(columns.summed_version.is_(None), columns.summed_version != columns.version),
        )
        .order_by(columns.period_start.desc())  # the newest are read most
    )
    with reading(engine) as connection:
        hours = connection.execute(due).all()
    for start, version in hours:
        rows = _sums(engine, start)
        with engine.begin() as connection:
            summed += _store(connection, start, version, rows)
        if not goes_on(len(rows)):
            break
    return summed


def put_out_of_force(connection: Connection, times: Iterable[str]) -> None:
    """Say that snapshots of *times*, `YYYY-MM-DD HH:MM:SS`, are stored in this transaction (LATE_SNAPSHOTS)."""
    hours = [
        datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC) for hour in sorted({time[:13] for time in times})
    ]
    columns = rollup_hour.c
    if hours:
        connection.execute(
            update(rollup_hour).where(columns.period_start.in_(hours)).values(version=columns.version + 1)
        )


def forget_hours(engine: Engine, before: datetime) -> None:
    """Delete the roll-ups of hours that began before *before*: their snapshots are merged, or about to be deleted."""
    with engine.begin() as connection:
        connection.execute(delete(rollup_hour).where(rollup_hour.c.period_start < before))
        connection.execute(delete(performance_rollup).where(performance_rollup.c.period_start < before))


def _claim(engine: Engine, hours: list[datetime], now: datetime) -> None:
    with reading(engine) as connection:
        known = set(connection.execute(select(rollup_hour.c.period_start)).scalars())
    new = [{"period_start": start, "claimed_at": now} for start in hours if start not in known]
    if new:
        with engine.begin() as connection:
            connection.execute(insert(rollup_hour), new)


def _sums(engine: Engine, start: datetime) -> list[dict[str, Any]]:
    """Return the roll-up's rows. A late delivery between two slices is told by the version."""
    columns = performance_snapshot.c
    sums: dict[_Series, MetricSum] = {}
    for number in range(HOUR // SLICE):
        begin = start + SLICE * number
        query = select(
            columns.service, columns.layer, columns.component, columns.metric_name, columns.unit,
            case((columns.buckets.is_(None), columns.metric_value)), columns.count, columns.sum, columns.min,
            columns.max, columns.error_count, columns.buckets, columns.correlation_id,
        ).where(columns.timestamp >= begin, columns.timestamp < begin + SLICE)  # fmt: skip
        with reading(engine) as connection:
            for service, layer, component, metric_name, unit, *values in connection.execute(query):
                series = (service, layer, component, metric_name, unit)
                found = sums.get(series)
                if found is None:
                    found = sums[series] = MetricSum()
                found.add(*values)
    return [_row(start, series, found) for series, found in sorted(sums.items())]


def _row(start: datetime, series: _Series, found: MetricSum) -> dict[str, Any]:
    service, layer, component, metric_name, unit = series
    return {
        "period_start": start,
        "service": service,
        "layer": layer,
        "component": component,
        "metric_name": metric_name,
        "unit": unit,
        "count": found.count,
        "sum": found.total if found.count else None,
        "min": found.histogram.minimum,
        "max": found.histogram.maximum,
        "error_count": found.error_count,
        "buckets": found.histogram.encode() if found.count else None,
        "correlation_id": found.worst_correlation_id,
    }


def _store(connection: Connection, start: datetime, version: int, rows: list[dict[str, Any]]) -> bool:
    """Store *rows* as the roll-up of the hour unless snapshots have arrived since *version*."""
    columns = rollup_hour.c
    # First, so that it waits for deliveries that are under way, and they for it; it changes the row, so that the count is
    # that of rows found on every driver.
    held = connection.execute(
        update(rollup_hour)
        .where(columns.period_start == start, columns.version == version)
        .values(summed_version=version)
    ).rowcount
    if not held:
        return False
    connection.execute(delete(performance_rollup).where(performance_rollup.c.period_start == start))
    if rows:
        connection.execute(insert(performance_rollup), rows)
    return True
