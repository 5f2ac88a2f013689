"""The database refused a row: a key, a reference, a check, or a value that does not fit its column."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "database.constraint"

_DUPLICATE: Final = frozenset({1062, 1586})
_REFERENCE: Final = frozenset({1216, 1217, 1451, 1452})
_MISSING: Final = frozenset({1048, 1364})
_CHECK: Final = frozenset({3819, 4025})
_VALUE: Final = frozenset({1264, 1265, 1292, 1366, 1406, 1690, 3140})


def matches(raised: Raised) -> bool:
    """An IntegrityError is one by definition; values that do not fit are a DataError or a number."""
    if raised.number is not None:
        return raised.number in _DUPLICATE | _REFERENCE | _MISSING | _CHECK | _VALUE
    return raised.is_named("IntegrityError", "DataError") or raised.short_name.endswith("Violation")


def suggestion(raised: Raised) -> str:
    """By which rule was broken."""
    text = raised.message.lower()
    if raised.number in _DUPLICATE or "unique constraint" in text or raised.is_named("UniqueViolation"):
        return (
            "A row with this key exists; the message names the key. Two requests at once both looked before they wrote: "
            "let the database decide, by `get_or_create()`, `update_or_create()` or by catching IntegrityError around "
            "an `atomic()` of its own, and answer with 409."
        )
    if raised.number in _REFERENCE or "foreign key" in text or raised.is_named("ForeignKeyViolation"):
        return (
            "A row refers to one that is not there, or that others still refer to: check in what order they are saved and "
            "deleted, and what `on_delete` says; a row of another transaction is seen only once that has committed."
        )
    if raised.number in _MISSING or "not null" in text or raised.is_named("NotNullViolation"):
        return (
            "A column that must have a value got none; the message names it: set it before saving, or give the field a "
            "default, and check that the form or serializer requires it."
        )
    if raised.number in _VALUE or raised.is_named("DataError"):
        return (
            "A value does not fit its column; the message names it: limit the length or range where the value comes in "
            "(form, serializer), or widen the column. Emoji that are refused: the column is not utf8mb4."
        )
    return (
        "The row breaks a check of the database; the message names it: enforce the same rule where the value comes in, "
        "so that the user is told."
    )
