"""Whole days go at once: DROP PARTITION, in a tenth of a second whatever the day held.

It needs the table for itself for that moment. Somebody's long transaction on the table would make it wait, and every
writer would queue behind: so it waits a second at most, and tries again a little later.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.exc import OperationalError

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.migration_lock import hold_migration_lock
from e2edebug_schema.partitions import list_partitions
from e2edebug_schema.store_errors import MigrationLocked

LOCK_WAIT_S: Final = 1
PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Between the attempts on a table that somebody holds."""

_LOCK_WAIT_TIMEOUT: Final = 1205
_NO_SUCH_PARTITION: Final = 1507

_SIZES: Final = text(
    "SELECT partition_name, table_rows, data_length + index_length FROM information_schema.partitions "
    "WHERE table_schema = DATABASE() AND table_name = :table AND partition_name IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A partition that holds whole days."""

    table: Table
    partition: str
    before: datetime
    """Its rows are older than this."""
    rows: int
    """The server's estimate."""
    size_bytes: int


def closed_days(connection: Connection, table: Table, now: datetime) -> list[Day]:
    """Return the partitions of *table* whose days are over, oldest first; [] where it is not partitioned."""
    found = list_partitions(connection, table)
    if not found:
        return []
    want_fresh_sizes(connection)
    sizes = {
        name: (int(rows or 0), int(size or 0)) for name, rows, size in connection.execute(_SIZES, {"table": table.name})
    }
    days = []
    for name, before in found:
        if before is None:
            continue
        end = datetime(before.year, before.month, before.day, tzinfo=UTC)
        if end <= now:
            days.append(Day(table, name, end, *sizes.get(name, (0, 0))))
    return days


def drop_day(engine: Engine, day: Day, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Drop the partition; False when somebody held the table the whole time, and the next run must try again."""
    for pause_s in (*PAUSES_S, None):
        try:
            with engine.connect() as connection, hold_migration_lock(connection, LOCK_WAIT_S):
                connection.exec_driver_sql(f"ALTER TABLE {day.table.name} DROP PARTITION {day.partition}")
        except OperationalError as error:
            number = getattr(error.orig, "args", (None,))[0]
            if number == _NO_SUCH_PARTITION:
                return True
            if number != _LOCK_WAIT_TIMEOUT:
                raise
        except MigrationLocked:
            pass
        else:
            return True
        if pause_s is not None:
            sleep(pause_s)
    return False


def is_partitioned(connection: Connection, table: Table) -> bool:
    """Tell whether *table* is cut into days here."""
    return bool(list_partitions(connection, table))


def want_fresh_sizes(connection: Connection) -> None:
    """Have information_schema answer with what is true now."""
    # MySQL 8 answers from a cache of up to a day ("information_schema_stats_expiry"); MariaDB has no such variable.
    if connection.dialect.name in SERVER_DIALECTS and not getattr(connection.dialect, "is_mariadb", False):
        connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
