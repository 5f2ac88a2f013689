"""One process at a time changes the schema; the others wait for seconds, not for ever."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, text

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.store_errors import MigrationLocked

LOCK_WAIT_S: Final = 5
TURN_WAIT_S: Final = 20.0
"""How long a process waits for another one that migrates; creating the tables takes about a second."""


@contextmanager
def hold_migration_lock(connection: Connection, lock_wait_s: int = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the right to change the schema, and give up on any lock of others after *lock_wait_s*.

    SQLite needs nothing here: the transaction holds the write lock from its first statement (engine.py).
    Raises MigrationLocked when another process keeps the right for longer than TURN_WAIT_S.
    """
    if connection.dialect.name not in SERVER_DIALECTS:
        yield
        return
    name = _lock_name(connection)
    # The server's own limit for metadata locks is a day; meanwhile every writer would queue behind us.
    previous = connection.exec_driver_sql("SELECT @@lock_wait_timeout").scalar_one()
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {lock_wait_s:d}")
    _take(connection, name)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.execute(text("DO RELEASE_LOCK(:name)"), {"name": name})
            connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {previous:d}")


def _take(connection: Connection, name: str) -> None:
    deadline = time.monotonic() + TURN_WAIT_S
    # In short turns, because a wait in the server must end before the driver's read timeout.
    while connection.execute(text("SELECT GET_LOCK(:name, 2)"), {"name": name}).scalar_one() != 1:
        if time.monotonic() > deadline:
            holder = connection.execute(text("SELECT IS_USED_LOCK(:name)"), {"name": name}).scalar_one()
            raise MigrationLocked(
                f"another process has been migrating for more than {TURN_WAIT_S:.0f} s (connection {holder} of the "
                "server); wait for it or end it, then run `e2edebug migrate` again"
            )


def _lock_name(connection: Connection) -> str:
    """Locks are the server's, not the database's; MySQL takes names of up to 64 characters."""
    database = str(connection.exec_driver_sql("SELECT DATABASE()").scalar_one())
    return f"e2edebug.migrate.{hashlib.sha256(database.encode()).hexdigest()[:32]}"
