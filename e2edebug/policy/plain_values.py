"""A user's metadata as plain values that any OpenTelemetry attribute can hold. Never raises."""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 128


def plain(value: object, *, depth: int = 0) -> Any:
    """Return *value* made of str, bool, int, float, None, list and dict.

    Other objects become their text; deeper than eight levels too. At most 128 items of each collection are kept, and
    one entry says how many were left out. The exporter cuts long texts and redacts secrets.
    """
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return f"<{len(value)} bytes>"
    if depth >= _MAX_DEPTH:
        return text_of(value)
    if isinstance(value, Mapping):
        kept = {text_of(key): plain(item, depth=depth + 1) for key, item in list(value.items())[:_MAX_ITEMS]}
        if len(value) > _MAX_ITEMS:
            kept["…"] = f"{len(value) - _MAX_ITEMS} more"
        return kept
    if isinstance(value, (Sequence, Set)):
        items = [plain(item, depth=depth + 1) for item in list(value)[:_MAX_ITEMS]]
        if len(value) > _MAX_ITEMS:
            items.append(f"… {len(value) - _MAX_ITEMS} more")
        return items
    return text_of(value)


def text_of(value: object) -> str:
    """Return str(value), or what can be said of an object whose `__str__` raises."""
    try:
        return str(value)
    except BaseException as error:  # noqa: BLE001 - __str__ is the application's code and may raise anything
        return f"<{type(value).__name__} whose __str__ raised {type(error).__name__}>"
