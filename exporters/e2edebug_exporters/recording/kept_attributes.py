"""The SDK's container for attributes, which cleans, cuts and drops; a value that cannot be cleaned costs itself alone.

The SDK follows a value into its depth and asks objects for their text. A value nested a thousand levels deep, or one
whose `__str__` raises, made `set_attribute()` and `start_span()` raise into the application (SDK 1.44).
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.util.types import AnyValue

UNREADABLE: Final = "<the value cannot be read>"
_DEEPEST: Final = 100
"""The SDK takes two frames for each level, of the thousand that Python has by default; a row keeps twenty."""
_LOOKED_AT: Final = 1000
_LEAVES: Final = (str, bytes, int, float, type(None))


def bounded(
    most: int | None, attributes: Mapping[str, AnyValue] | None, *, immutable: bool, longest: int | None
) -> BoundedAttributes:
    """Return *attributes*, at most so many, with texts of at most *longest* characters."""
    kept = BoundedAttributes(most, immutable=False, max_value_len=longest)
    if attributes:
        put_all(kept, attributes)
    kept._immutable = immutable
    return kept


def put(kept: BoundedAttributes, key: str, value: AnyValue) -> None:
    """Set one attribute."""
    try:
        kept[key] = UNREADABLE if is_too_deep(value) else value
    except Exception:  # noqa: BLE001 # whatever the application's objects raise when they are read
        kept[key] = UNREADABLE


def put_all(kept: BoundedAttributes, attributes: Mapping[str, AnyValue]) -> None:
    """Set several, in the SDK's own way where it has one: it treats keys that are no strings unlike one at a time."""
    try:
        if not is_too_deep(attributes):
            getattr(kept, "_set_items", kept.update)(attributes)
            return
    except Exception:  # noqa: BLE001, S110 # as above; one at a time it shows which it is
        pass
    for key, value in attributes.items():
        put(kept, key, value)


def is_too_deep(value: Any) -> bool:
    """Say whether *value* is known to be nested too deeply, as one that holds itself is.

    Only so many members are looked at: finding it out by the recursion error takes milliseconds of the application's
    time, but so does following a large value twice.
    """
    level: list[Any] = [value]
    looked_at = 0
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, _LEAVES) or not isinstance(one, Collection):
                continue
            looked_at += len(one)
            if looked_at > _LOOKED_AT:
                return False
            below += one.values() if isinstance(one, Mapping) else one
        if not below:
            return False
        level = below
    return True
