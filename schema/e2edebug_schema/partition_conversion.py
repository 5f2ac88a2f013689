"""A table that is in one piece is cut into days: once, by one ALTER TABLE that copies it.

Ours are partitioned from the first revision on. One that is not was made by hand, by a dump, or by a tool that leaves
partitions out. While it is copied, writers wait (the queue and the spool of each process hold what they would write),
and the server needs its size again on disk: so this runs when somebody asks for it, never by itself.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, Table, func, select, text

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.migration_lock import LOCK_WAIT_S, hold_migration_lock
from e2edebug_schema.partitions import list_partitions
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.table_ddl import LAST_PARTITION
from e2edebug_schema.tables import PARTITIONED_TABLES, partition_column

DAYS_AHEAD: Final = 14
MOST_DAYS: Final = 400
"""Days with a partition each; what is older shares the first."""
ROWS_PER_S: Final = 75_000
"""How fast a server copies: 5 million steps took 67 s (reference measurements, section 2)."""

_SIZE: Final = text(
    "SELECT table_rows, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name = :table"
)
_PRIMARY_KEY: Final = text(
    "SELECT column_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
    "AND table_name = :table AND index_name = 'PRIMARY' ORDER BY seq_in_index"
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A table that can be cut into days, and what that takes."""

    table: Table
    first_day: date
    """The oldest day with a partition of its own."""
    days: int
    rows: int
    """The server's estimate."""
    size_bytes: int
    """What the copy needs on disk beside the table."""
    statement: str

    @property
    def estimated_s(self) -> float:
        """For how long writers wait, roughly."""
        return self.rows / ROWS_PER_S


def plan_conversions(engine: Engine, *, today: date | None = None) -> list[Conversion]:
    """Return the tables that should be partitioned and are not; [] on SQLite, which has no partitions."""
    if engine.dialect.name not in SERVER_DIALECTS:
        return []
    until = (today or datetime.now(UTC).date()) + timedelta(days=DAYS_AHEAD)
    with reading(engine) as connection:
        return [
            _planned(connection, table, until) for table in PARTITIONED_TABLES if not list_partitions(connection, table)
        ]


def convert(engine: Engine, conversion: Conversion, *, lock_wait_s: int = LOCK_WAIT_S) -> None:
    """Cut the table. Interrupted, it is as before.

    The engine's read timeout must be longer than the copy takes. Raises OperationalError 1205 when a transaction holds
    the table for longer than *lock_wait_s*, and MigrationLocked when another process changes the schema.
    """
    with engine.connect() as connection, hold_migration_lock(connection, lock_wait_s):
        if not list_partitions(connection, conversion.table):
            connection.exec_driver_sql(conversion.statement)


def _planned(connection: Connection, table: Table, until: date) -> Conversion:
    time_column = partition_column(table)
    assert time_column is not None
    oldest = connection.execute(select(func.min(table.c[time_column]))).scalar()
    first = max(oldest.date() if oldest is not None else until, until - timedelta(days=MOST_DAYS))
    first = min(first, until - timedelta(days=DAYS_AHEAD))
    days = [first + timedelta(days=offset) for offset in range((until - first).days + 1)]
    rows, size = connection.execute(_SIZE, {"table": table.name}).one()
    key = [name for (name,) in connection.execute(_PRIMARY_KEY, {"table": table.name})]
    new_key = "" if time_column in key else f"DROP PRIMARY KEY, ADD PRIMARY KEY (`id`, `{time_column}`) "
    parts = [f"PARTITION p{day:%Y%m%d} VALUES LESS THAN ('{day + timedelta(days=1)}')" for day in days]
    statement = (
        f"ALTER TABLE {table.name} {new_key}PARTITION BY RANGE COLUMNS(`{time_column}`) "
        f"({', '.join([*parts, f'PARTITION {LAST_PARTITION} VALUES LESS THAN (MAXVALUE)'])})"
    )
    return Conversion(table, first, len(days), int(rows or 0), int(size or 0), statement)
