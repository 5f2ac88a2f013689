"""Python values become MySQL literals that are safe by construction: nothing is escaped.

Text stands in plain quotes if it is ASCII without a quote and without a backslash: no sql_mode and no character set
gives such a literal another end or meaning. All other text is written as `_utf8mb4 X'…'`, because a backslash does not
mean the same in every sql_mode (NO_BACKSLASH_ESCAPES) and hexadecimal digits do.
PyMySQL's own escaping is more than half of its cost (reference measurements, section 1b).
"""

import math
from collections.abc import Iterable

_CACHE_ENTRIES = 4096
_CACHE_CHARS = 1 << 20
_CACHED_TEXT_CHARS = 8192

_LONGEST_EXACT_MS = 2**53 / 1e6


class NotFiniteError(ValueError):
    """A NaN or infinite number, which SQL has no literal for."""


def text(value: str) -> str:
    """Return *value* as a literal. Raises UnicodeEncodeError for a lone surrogate."""
    if value.isascii() and "'" not in value and "\\" not in value:
        return f"'{value}'"
    return f"_utf8mb4 X'{value.encode().hex()}'"


def number(value: float) -> str:
    """Return *value* as a literal; repr() is the shortest text that reads back as the same double."""
    if type(value) is float:
        if not math.isfinite(value):
            raise NotFiniteError(f"{value!r} is not a number that SQL knows")
        return repr(value)
    return str(int(value))


def literal(value: str | float | None) -> str:
    """Return any column's value as a literal; for rows that are few."""
    if value is None:
        return "NULL"
    return text(value) if isinstance(value, str) else number(value)


def milliseconds(duration: float | None) -> str:
    """Return a duration as a literal that reads back as the same double.

    Of what was counted in nanoseconds that is `1234567e-6`: the quotient is the double that is nearest to it. It is an
    integer's digits, while repr() has to search for the shortest ones of a double. Raises NotFiniteError.
    """
    if duration is None:
        return "NULL"
    if 0 <= duration < _LONGEST_EXACT_MS:
        nanoseconds = int(duration * 1e6 + 0.5)
        if nanoseconds / 1e6 == duration:
            return f"{nanoseconds}e-6"
    if not math.isfinite(duration):
        raise NotFiniteError(f"a duration of {duration!r} ms")
    return repr(float(duration))


def values(row: Iterable[str | float | None]) -> str:
    """Return a row of any columns in parentheses; for rows that are few."""
    written = ["NULL" if value is None else text(value) if isinstance(value, str) else number(value) for value in row]
    return f"({','.join(written)})"


def are_harmless(values: Iterable[str]) -> bool:
    """Say whether every value may stand in plain quotes, as text() would write it. One look at all, not a call each."""
    joined = "".join(values)
    return joined.isascii() and "'" not in joined and "\\" not in joined


class LiteralCache(dict[str | None, str]):
    """`cache[value]` is the literal of *value*: for columns with few different values. Bounded in entries and size."""

    def __init__(self) -> None:
        super().__init__()
        self._chars = 0
        self._start_again()

    def _start_again(self) -> None:
        self.clear()
        self._chars = 0
        self[None] = "NULL"
        self[""] = "''"

    def __missing__(self, value: str | None) -> str:
        assert value is not None  # present since _start_again()
        made = text(value)
        if len(value) <= _CACHED_TEXT_CHARS:
            # Emptied at its limit rather than evicted one by one: a hit stays a plain dict lookup.
            if len(self) >= _CACHE_ENTRIES or self._chars > _CACHE_CHARS:
                self._start_again()
            self[value] = made
            self._chars += len(made)
        return made
