"""Connections to a SQLite file that several processes write."""

import sqlite3
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from e2edebug_schema.histogram import bucket_index
from e2edebug_schema.store_errors import StoreUnavailable, UnsupportedServer

SQLITE_FLOOR: Final = (3, 38, 0)
BUSY_TIMEOUT_S: Final = 5.0

BUCKET_FUNCTION: Final = "e2edebug_bucket"
"""SQL function on our connections: the histogram bucket of a duration, NULL for none, and for zero and below."""


def open_sqlite(filename: str, options: dict[str, Any]) -> sqlite3.Connection:
    """Return a connection in WAL mode on which we, not the driver, begin transactions.

    filename: a path or a URI. One with `mode=ro` can be read where nothing may be written, neither file nor folder.
    """
    if sqlite3.sqlite_version_info < SQLITE_FLOOR:
        raise UnsupportedServer(f"SQLite is {sqlite3.sqlite_version}; e2edebug needs 3.38 or newer")
    try:
        return _opened(filename, options)
    except sqlite3.OperationalError as error:
        if "mode=ro" not in filename.partition("?")[2] or error.sqlite_errorcode & 0xFF not in _CANNOT_SHARE:
            raise
        _require_empty_log(filename)
        return _opened(f"{filename}&immutable=1", options)


_CANNOT_SHARE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""What SQLite answers where it cannot make the -shm file by which the readers of a WAL database know of each other."""


def _require_empty_log(filename: str) -> None:
    # A file that is opened as immutable is read without its log: what was committed there would silently be missing.
    path = unquote(filename.partition("?")[0].removeprefix("file:"))
    try:
        is_empty = Path(f"{path}-wal").stat().st_size == 0
    except FileNotFoundError:
        is_empty = True
    if not is_empty:
        raise StoreUnavailable(
            f"the newest rows of {path} are in {path}-wal, which cannot be read where nothing may be written: copy both "
            "files to a folder in which you may write, and read the copy"
        )


def _opened(filename: str, options: dict[str, Any]) -> sqlite3.Connection:
    settings = {"timeout": BUSY_TIMEOUT_S} | options | {"check_same_thread": False, "isolation_level": None}
    connection = sqlite3.Connection(filename, **settings)
    try:
        _switch_to_wal(connection)
        # In WAL mode NORMAL loses the last transactions at a power cut, and never the file (SQLite, "PRAGMA synchronous").
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.create_function(BUCKET_FUNCTION, 1, bucket_of_duration, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def bucket_of_duration(duration: float | None) -> int | None:
    """Return what BUCKET_FUNCTION gives."""
    return bucket_index(duration) if duration is not None and duration > 0 else None


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Try for as long as a lock may last: the switch fails at once when another process does it, without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            # An immutable file answers with the mode that it has, and no error.
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                return
        except sqlite3.OperationalError as error:
            # A file that we may only read stays in the mode that it has.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
                return
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
