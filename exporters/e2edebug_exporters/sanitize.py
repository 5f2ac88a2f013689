"""Telemetry as it arrives becomes values that every column and every dialect takes.

What a database would refuse or change silently is changed here, visibly, and counted. All of it depends on the input
alone: the same span sanitised twice is the same row, so nothing here reads a clock.
"""

import re
from collections import Counter
from typing import Any, Final

from e2edebug.policy.plain_values import text_of

ROOM_FOR_SECRETS: Final = 4096
"""Texts are cut to their limit plus this, redacted, then cut to the limit: a secret that straddles the limit is seen whole."""


class Sanitizer:
    """Cuts and cleans, and counts in `counts` what it had to do, by reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def text(self, value: str, limit: int) -> str:
        """Return at most *limit* characters, printable (line feeds and tabs stay), and never a lone surrogate.

        A cut text ends with a mark that names its original length: `…[cut, 10485760 chars]`.
        """
        if len(value) <= limit and value.isprintable():
            return value
        return self.clean(cut(value, limit, self.counts))

    def name(self, value: str, limit: int) -> str:
        """Return a text for a column that compares: blanks at the end are stripped, because MySQL ignores them."""
        cleaned = self.text(value, limit)
        return cleaned.rstrip(" ") if cleaned.endswith(" ") else cleaned

    def code(self, value: str, limit: int) -> str:
        """Return *value* for an ascii column: what is not ascii becomes `?`."""
        cleaned = self.name(value, limit)
        if cleaned.isascii():
            return cleaned
        self.counts["not ascii"] += 1
        return cleaned.encode("ascii", "replace").decode("ascii")

    def cut_bytes(self, value: str, max_bytes: int, *, original_length: int | None = None) -> str:
        """Return clean text cut between characters so that it takes at most *max_bytes* in UTF-8.

        original_length: how long the text was when something has been cut off before.
        """
        length = len(value) if original_length is None else original_length
        if length == len(value) and (length * 4 <= max_bytes or len(value.encode()) <= max_bytes):
            return value
        self.counts["cut"] += 1
        mark = cut_mark(length)
        return value.encode()[: max(0, max_bytes - len(mark.encode()))].decode("utf-8", "ignore") + mark

    def integer(self, value: int) -> int | str:
        """Return *value*, or its digits as text when it does not fit in 64 bits."""
        if _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
            return int(value)
        self.counts["integer beyond 64 bits"] += 1
        # int -> str takes quadratic time; beyond 4,300 digits Python refuses it (sys.set_int_max_str_digits).
        return str(value) if value.bit_length() <= _MOST_PRINTED_BITS else f"<integer of {value.bit_length()} bits>"

    def number(self, value: Any) -> float | None:
        """Return a finite float, or None: neither MySQL nor JSON knows NaN and infinity."""
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            self.counts["not a number"] += 1
            return None
        if number - number == 0.0:
            return number
        self.counts["not a finite number"] += 1
        return None

    def count(self, value: Any) -> int:
        """Return a number of occurrences: an integer from 0 to 2^63-1."""
        if type(value) is not int:
            number = self.number(value)
            value = 0 if number is None else int(number)
        return int(min(max(value, 0), _GREATEST_INTEGER))

    def as_text(self, value: object) -> str:
        """Return str(value) of what should have been a text; never raises."""
        return value if isinstance(value, str) else text_of(value)

    def clean(self, value: str) -> str:
        """Return *value* with line feeds, tabs and what is printable; control characters become visible ones."""
        if value.isprintable() or _UNSAFE.search(value) is None:
            return value
        self.counts["control or surrogate characters"] += 1
        return _UNSAFE.sub(_visible, value.replace("\r\n", "\n"))


def cut(value: str, limit: int, counts: Counter[str] | None = None) -> str:
    """Return *value* with at most *limit* characters, ending in a mark with its original length if it was longer."""
    if len(value) <= limit:
        return value
    if counts is not None:
        counts["cut"] += 1
    mark = cut_mark(len(value))
    return value[: limit - len(mark)] + mark if limit > len(mark) else value[:limit]


def cut_mark(original_length: int) -> str:
    """Return what stands at the end of a text that had *original_length* characters."""
    return f"…[cut, {original_length} chars]"


def _visible(match: re.Match[str]) -> str:
    code_point = ord(match.group())
    if code_point < 0x20:
        return chr(0x2400 + code_point)  # Unicode's "control pictures": one character each, so lengths hold
    return "\u2421" if code_point == 0x7F else "\ufffd"


_LEAST_INTEGER: Final = -(2**63)
_GREATEST_INTEGER: Final = 2**63 - 1
_MOST_PRINTED_BITS: Final = 4096

# C0 without tab and line feed, DEL, C1 (0x9B starts a terminal sequence), and surrogates, which UTF-8 cannot encode.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
