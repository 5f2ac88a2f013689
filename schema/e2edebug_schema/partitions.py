"""Daily partitions of steps, snapshots and errors on MySQL and MariaDB; nothing to do on SQLite.

Dropping a day takes 0.16 s where deleting its rows takes 18 s and slows the writers (reference measurements, section
2). A row whose day has no partition lands in the last one, so that late maintenance never refuses a row.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine, Table, text

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.migration_lock import LOCK_WAIT_S, hold_migration_lock
from e2edebug_schema.table_ddl import LAST_PARTITION
from e2edebug_schema.tables import PARTITIONED_TABLES

LONGEST_GAP_DAYS: Final = 31
"""Days without maintenance that get a partition each afterwards; older ones share the first of them."""

_PARTITIONS: Final = text(
    "SELECT partition_name, partition_description FROM information_schema.partitions "
    "WHERE table_schema = DATABASE() AND table_name = :table AND partition_name IS NOT NULL "
    "ORDER BY partition_ordinal_position"
)


class Partition(NamedTuple):
    """One partition: its name and the day before which its rows are; None for the last one."""

    name: str
    before: date | None


def ensure_daily_partitions(
    engine: Engine, *, days_ahead: int = 14, since: date | None = None, lock_wait_s: int = LOCK_WAIT_S
) -> None:
    """Cut the partitioned tables so that each day from today to *days_ahead* from now has a partition of its own.

    since: an earlier day from which each day gets one, for bulk loading of the past.
    Cheap when there is nothing to do. Raises OperationalError 1205 when an open transaction on a table outlasts
    *lock_wait_s*, and MigrationLocked when another process does this.
    """
    if engine.dialect.name not in SERVER_DIALECTS:
        return
    today = datetime.now(UTC).date()
    first, last = min(since or today, today), today + timedelta(days=days_ahead)
    with engine.connect() as connection:
        if not _all_cuts(connection, first, last, since):
            return
        with hold_migration_lock(connection, lock_wait_s):
            for statement in _all_cuts(connection, first, last, since):
                connection.exec_driver_sql(statement)


def list_partitions(connection: Connection, table: Table) -> list[Partition]:
    """Return the partitions of *table* in order of time; [] where it has none."""
    if connection.dialect.name not in SERVER_DIALECTS:
        return []
    return [
        Partition(name, _upper_bound(bound)) for name, bound in connection.execute(_PARTITIONS, {"table": table.name})
    ]


def _all_cuts(connection: Connection, first: date, last: date, since: date | None) -> list[str]:
    return [
        statement
        for table in PARTITIONED_TABLES
        for statement in _cuts(table.name, list_partitions(connection, table), first, last, since)
    ]


def _cuts(table: str, partitions: list[Partition], first: date, last: date, since: date | None) -> list[str]:
    bounds = [partition.before for partition in partitions if partition.before is not None]
    statements = []
    if partitions and partitions[-1].before is None:
        start = first
        if bounds:
            start = max(bounds[-1], first - timedelta(days=LONGEST_GAP_DAYS))
        days = _days(start, last)
        if days:
            statements.append(
                _reorganize(
                    table, partitions[-1].name, days, closing=f"PARTITION {LAST_PARTITION} VALUES LESS THAN (MAXVALUE)"
                )
            )
    if bounds and since is not None:
        oldest = partitions[0]
        own_day = bounds[0] - timedelta(days=1)
        earlier = _days(since, own_day - timedelta(days=1))
        if earlier:
            statements.append(_reorganize(table, oldest.name, [*earlier, own_day]))
    return statements


def _reorganize(table: str, name: str, days: list[date], closing: str | None = None) -> str:
    parts = [f"PARTITION p{day:%Y%m%d} VALUES LESS THAN ('{day + timedelta(days=1)}')" for day in days]
    return (
        f"ALTER TABLE {table} REORGANIZE PARTITION {name} INTO ({', '.join([*parts, *([closing] if closing else [])])})"
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _upper_bound(description: str) -> date | None:
    """MAXVALUE, or a quoted day, with or without a time of day."""
    return None if description == "MAXVALUE" else date.fromisoformat(description.strip("'")[:10])
