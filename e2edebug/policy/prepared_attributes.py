"""Attributes that many spans have in common, put together once and copied for none of them."""

from typing import Any


class PreparedAttributes(dict[str, Any]):
    """What each execution of one statement at one place says. Changed by nobody once a span has it.

    Equal to itself alone, so that what is known of it is found without a look at what it holds; to a plain dict it is
    equal as any other.
    """

    __slots__ = ()

    __hash__ = object.__hash__  # type: ignore[assignment] # a dict has none
    __eq__ = object.__eq__
    __ne__ = object.__ne__
