"""Two transactions waited for each other, and the server ended one of them."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "database.deadlock"

_NUMBERS: Final = frozenset(
    {
        1213,  # ER_LOCK_DEADLOCK
        1020,  # ER_CHECKREAD: record has changed since last read (MariaDB's snapshot isolation)
        3101,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT: certification in group replication
    }
)


def matches(raised: Raised) -> bool:
    """By MySQL's number, and PostgreSQL's `deadlock detected`."""
    return (
        raised.number in _NUMBERS
        or raised.is_named("DeadlockDetected", "SerializationFailure")
        or (raised.is_of_database and "deadlock detected" in raised.message.lower())
    )


def suggestion(raised: Raised) -> str:
    """Retry, and take locks in one order."""
    if raised.number in (1020, 3101):
        return (
            "Another transaction changed the same rows first, and this one was rolled back as a whole: run it again from "
            "its beginning, at most a few times, and keep it short."
        )
    return (
        "Two transactions locked the same rows in different order, and the server rolled this one back as a whole: run "
        "it again from its beginning (a few tries, with a pause), and lock in one order everywhere, as by "
        "`select_for_update().order_by('pk')`. `SHOW ENGINE INNODB STATUS` names both statements."
    )
