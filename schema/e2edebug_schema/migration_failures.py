"""What a database answers when a migration cannot go on, in words that say what to do."""

from typing import Final

from sqlalchemy.exc import DBAPIError

from e2edebug_schema.store_errors import MigrationLocked, MigrationRefused, StoreError

_LOCKED: Final = {
    1205,  # lock wait timeout, metadata locks included
    1213,  # deadlock
}
_REFUSED: Final = {
    1044,  # no access to the database
    1142,  # no right to the command
    1227,  # no right of the server-wide kind
    1290,  # the server is read-only
    1792,  # the transaction is
    1836,  # the server is read-only (MySQL)
}

_LOCKED_TEXT: Final = (
    "the migration gave up, because another connection holds a lock on the store: {}. "
    "End that transaction (MySQL and MariaDB: SHOW FULL PROCESSLIST names it) and run `e2edebug migrate` again"
)
_REFUSED_TEXT: Final = (
    "the database does not let this user migrate the store: {}. Run `e2edebug migrate` as a user who may CREATE, ALTER, "
    "DROP and INDEX there, or give the output of `e2edebug migrate --sql` to somebody who may"
)

_UNWRITABLE_TEXT: Final = "the file of the store may not be changed: {}. Run `e2edebug migrate` as a user who may write the file and its folder"


def explained(error: DBAPIError) -> StoreError | None:
    """Return *error* as one of the store's own, or None when it means something else."""
    original = error.orig
    if original is None:
        return None
    code = original.args[0] if original.args else None
    text = str(original)
    if code in _LOCKED or "database is locked" in text:
        return MigrationLocked(_LOCKED_TEXT.format(text))
    if "readonly database" in text or "unable to open database file" in text:
        return MigrationRefused(_UNWRITABLE_TEXT.format(text))
    if code in _REFUSED:
        return MigrationRefused(_REFUSED_TEXT.format(text))
    return None
