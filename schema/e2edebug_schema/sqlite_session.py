"""Connections to a SQLite file that several processes write."""

import sqlite3
import time
from typing import Any, Final

from e2edebug_schema.histogram import bucket_index
from e2edebug_schema.store_errors import UnsupportedServer

SQLITE_FLOOR: Final = (3, 38, 0)
BUSY_TIMEOUT_S: Final = 5.0

BUCKET_FUNCTION: Final = "e2edebug_bucket"
"""SQL function on our connections: the histogram bucket of a duration, NULL for zero and below."""


def open_sqlite(filename: str, options: dict[str, Any]) -> sqlite3.Connection:
    """Return a connection in WAL mode on which we, not the driver, begin transactions."""
    if sqlite3.sqlite_version_info < SQLITE_FLOOR:
        raise UnsupportedServer(f"SQLite is {sqlite3.sqlite_version}; e2edebug needs 3.38 or newer")
    settings = {"timeout": BUSY_TIMEOUT_S} | options | {"check_same_thread": False, "isolation_level": None}
    connection = sqlite3.Connection(filename, **settings)
    try:
        _switch_to_wal(connection)
        # In WAL mode NORMAL loses the last transactions at a power cut, and never the file (SQLite, "PRAGMA synchronous").
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.create_function(BUCKET_FUNCTION, 1, _bucket, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _bucket(duration: float) -> int | None:
    return bucket_index(duration) if duration > 0 else None


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Try for as long as a lock may last: the switch fails at once when another process does it, without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # A file that we may only read stays in the mode that it has.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                return
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
