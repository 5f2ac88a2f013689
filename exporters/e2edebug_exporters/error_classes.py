"""What to do about an error that a driver raised while rows were written.

The numbers are MySQL's and MariaDB's own ("Server Error Message Reference"); each was provoked on MariaDB 10.11 with
PyMySQL unless a comment says otherwise. SQLite has names instead of numbers.
"""

import enum
import sqlite3
from typing import Final

from sqlalchemy import exc

from e2edebug.policy.error_text import mask_text
from e2edebug_schema.store_errors import StoreError


class ErrorClass(enum.Enum):
    """How a failed batch goes on."""

    RECONNECT = "reconnect"
    """The connection is of no use and the outcome unknown: open another, send the same (idempotent) batch again."""
    RETRY = "retry"
    """The server gave up on the transaction: roll back, send the whole of it again on the same connection."""
    BACK_OFF = "back_off"
    """The store cannot take rows now: keep them, come back later."""
    BAD_DATA = "bad_data"
    """At least one row is at fault: bisect, drop it, keep the others."""
    SCHEMA = "schema"
    """The tables are missing or of another version: keep the rows and say "run `e2edebug migrate`"."""


_BY_NUMBER: Final[dict[int, ErrorClass]] = {
    **dict.fromkeys(
        (
            1040,  # too many connections
            1044,  # access to the database denied
            1045,  # access denied
            1049,  # unknown database
            1129,  # host is blocked
            1130,  # host is not allowed to connect
            1142,  # INSERT denied to this user
            1143,  # denied on a column
            1203,  # user has too many connections
            1226,  # user exceeded a resource
            1021,  # disk full
            1030,  # error from the storage engine
            1041,  # out of memory
            1114,  # table is full
            3,  # error writing a file
            1037,  # out of memory, restart the server
            3024,  # statement interrupted: maximum execution time
            1969,  # the same on MariaDB: max_statement_time
            1698,  # access denied (socket authentication)
            2059,  # authentication plugin cannot be loaded (client)
            2061,  # the same, caching_sha2_password without TLS (client)
        ),
        ErrorClass.BACK_OFF,
    ),
    **dict.fromkeys(
        (
            2002,  # cannot connect through the socket
            2003,  # cannot connect
            2006,  # server has gone away
            2013,  # lost connection during the query; also a read timeout
            2014,  # commands out of sync
            2045,
            2055,
            1927,  # connection was killed
            1053,  # server shutdown in progress
            1047,  # WSREP has not prepared the node (Galera)
            1152,  # aborted connection
            1158,  # network: read error, then its interrupted and write kin
            1159,
            1160,
            1161,
            4031,  # disconnected for inactivity (MySQL 8)
            1290,  # --read-only: after a failover the pool still holds connections to the old primary
            1792,  # READ ONLY transaction
            1836,  # running in read-only mode
            3100,  # group replication hook failed
        ),
        ErrorClass.RECONNECT,
    ),
    **dict.fromkeys(
        (
            1205,  # lock wait timeout: rolls back the statement only, so the transaction is rolled back by us
            1213,  # deadlock
            1317,  # KILL QUERY
            1020,  # record has changed since last read (MariaDB 11's snapshot isolation)
            3101,  # plugin instructed the server to roll back (group replication certification)
            1180,  # error during COMMIT (Galera certification)
        ),
        ErrorClass.RETRY,
    ),
    **dict.fromkeys(
        (
            1146,  # no such table
            1054,  # unknown column
            1136,  # column count does not match
            1364,  # a column of ours that this version does not fill has no default
            1526,  # no partition for this value
        ),
        ErrorClass.SCHEMA,
    ),
}

# These leave the pooled connection valid in SQLAlchemy's eyes: its list of disconnects is 1927, 2006, 2013, 2014, 2045,
# 2055 and 4031. The same read-only connection came back from the pool for ever (reliability page, section 1.2).
_DISCONNECTS_UNKNOWN_TO_SQLALCHEMY: Final = frozenset(
    {1290, 1047, 1053, 1792, 1836, 1152, 1158, 1159, 1160, 1161, 3100}
)

_SQLITE_BUSY: Final = ("database is locked", "database table is locked", "database schema is locked")
_SQLITE_AWAY: Final = (
    "disk i/o error",
    "database or disk is full",
    "unable to open database file",
    "attempt to write a readonly database",
    "database disk image is malformed",
    "file is not a database",
    "out of memory",
)
_SQLITE_SCHEMA: Final = ("no such table", "no such column", "has no column named", "on conflict clause does not match")


def error_number(error: BaseException) -> int | None:
    """Return the server's or client library's error number, None where there is none."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    first = original.args[0] if original is not None and original.args else None
    return first if isinstance(first, int) and not isinstance(first, bool) else None


def classify(error: BaseException) -> ErrorClass:
    """Return how a batch that raised *error* goes on.

    An error nobody has heard of is blamed on the data: a row that fails for ever would hold up everything behind it,
    while a bisected batch loses (and counts) at worst what the server refuses anyway.
    """
    number = error_number(error)
    if number is not None and number in _BY_NUMBER:
        return _BY_NUMBER[number]
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return ErrorClass.RECONNECT
        if isinstance(error.orig, sqlite3.Error):
            return _classify_sqlite(error.orig)
        # PyMySQL raises InterfaceError(0, '') on a connection that it closed itself after a failed read.
        return ErrorClass.RECONNECT if isinstance(error, exc.InterfaceError) else ErrorClass.BAD_DATA
    if isinstance(error, StoreError | exc.TimeoutError):  # an unsupported server; the pool's only connection is taken
        return ErrorClass.BACK_OFF
    if isinstance(error, exc.ResourceClosedError | exc.PendingRollbackError | OSError):
        return ErrorClass.RECONNECT
    return ErrorClass.BAD_DATA


def _classify_sqlite(error: sqlite3.Error) -> ErrorClass:
    text = str(error).lower()
    if text.startswith(_SQLITE_BUSY):
        return ErrorClass.RETRY
    if any(phrase in text for phrase in _SQLITE_SCHEMA):
        return ErrorClass.SCHEMA
    if text.startswith(_SQLITE_AWAY):
        return ErrorClass.BACK_OFF
    return ErrorClass.BAD_DATA


def must_invalidate(error: BaseException) -> bool:
    """Say whether the connection has to be thrown away by hand, because SQLAlchemy would pool it again."""
    return error_number(error) in _DISCONNECTS_UNKNOWN_TO_SQLALCHEMY


def drop_reason(error: BaseException) -> str:
    """Return the reason under which a refused row is counted: `errno_1406`, else the kind of error."""
    number = error_number(error)
    if number is not None:
        return f"errno_{number}"
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    return type(original).__name__


_LONGEST_READ: Final = 10_000


def short_text(error: BaseException, limit: int = 300) -> str:
    """Return *error* in one line, without secrets, and without the statement that SQLAlchemy would print with it."""
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    text = " ".join(f"{type(original).__name__}: {mask_text(str(original)[:_LONGEST_READ])}".split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
