"""Somebody else held a lock for longer than one was willing to wait."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "database.lock_wait"

_NUMBERS: Final = frozenset(
    {
        1205,  # ER_LOCK_WAIT_TIMEOUT; on MariaDB also of SELECT … FOR UPDATE NOWAIT
        3572,  # ER_LOCK_NOWAIT (MySQL 8)
        1206,  # ER_LOCK_TABLE_FULL
    }
)
_SQLITE: Final = ("database is locked", "database table is locked", "database schema is locked")


def matches(raised: Raised) -> bool:
    """By MySQL's number, and SQLite's wording."""
    if raised.number in _NUMBERS or raised.is_named("LockNotAvailable"):
        return True
    return raised.is_of_database and any(words in raised.message for words in _SQLITE)


def suggestion(raised: Raised) -> str:
    """Find who holds the lock."""
    if raised.number is None and not raised.is_named("LockNotAvailable"):
        return (
            "Another connection was writing to this SQLite file, which takes one writer at a time: shorten its "
            "transactions, raise `OPTIONS: {'timeout': …}`, use write-ahead logging and `transaction_mode: IMMEDIATE`, or "
            "move to MySQL."
        )
    return (
        "Another transaction held the row for longer than `innodb_lock_wait_timeout`. `information_schema.innodb_trx` "
        "shows who, ordered by `trx_started`. Calls to other services and slow work do not belong "
        "inside `atomic()`, and an index on the condition locks fewer rows."
    )
