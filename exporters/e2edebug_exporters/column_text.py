"""Texts for columns: cleaned, without secrets, within the column's length. Names repeat, so the results are remembered."""

from typing import Any, Final

from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.sanitize import ROOM_FOR_SECRETS, Sanitizer, cut, cut_mark


class ColumnText:
    """Turns values of any type into texts that a column takes. Never raises."""

    def __init__(self, redactor: Redactor, sanitizer: Sanitizer) -> None:
        self._redactor = redactor
        self._sanitizer = sanitizer
        self._names: dict[int, dict[str, str]] = {}
        self._messages: dict[tuple[str, int, str], str] = {}

    def name(self, value: Any, limit: int) -> str:
        """Return *value* for a column that is compared and grouped by."""
        names = self.names(limit)
        text = value if type(value) is str else self._sanitizer.as_text(value)
        known = names.get(text)
        if known is not None:
            return known
        shown = self._sanitizer.name(self._redacted(text, limit), limit)
        if len(text) <= _LONGEST_REMEMBERED:
            if len(names) >= _MOST_REMEMBERED:
                names.clear()
            names[text] = shown
        return shown

    def names(self, limit: int) -> dict[str, str]:
        """Return the names of this length made so far, by what they were made of: for look-ups on the hot path."""
        return self._names.setdefault(limit, {})

    def optional_name(self, value: Any, limit: int) -> str | None:
        """Return `name(value)`, or None for nothing."""
        return None if value is None or value == "" else self.name(value, limit)

    def code(self, value: Any, limit: int) -> str | None:
        """Return *value* for an ascii column, or None for nothing."""
        if value is None or value == "":
            return None
        return self._sanitizer.code(self._redacted(self._sanitizer.as_text(value), limit), limit)

    def error_message(self, value: Any, limit: int, error_type: str = "") -> str:
        """Return an exception's message, without what databases quote in it."""
        text = value if type(value) is str else self._sanitizer.as_text(value)
        key = (text, limit, error_type)
        known = self._messages.get(key)
        if known is not None:
            return known
        changes = self._sanitizer.counts.total()
        shown = self._shortened(self._redactor.error_message(self._window(text, limit), error_type), limit, text)
        # What had to be changed counts each time.
        if len(text) + len(error_type) <= _LONGEST_REMEMBERED and changes == self._sanitizer.counts.total():
            if len(self._messages) >= _MOST_REMEMBERED_MESSAGES:
                self._messages.clear()
            self._messages[key] = shown
        return shown

    def stack_trace(self, value: str, limit: int) -> str:
        """Return a stack trace; of one that is too long, the beginning and, larger, the end: there it was raised."""
        if len(value) > limit:
            self._sanitizer.counts["cut"] += 1
            mark = f"\n{cut_mark(len(value))}\n"
            head = (limit - len(mark)) // 4
            value = value[:head] + mark + value[-(limit - head - len(mark)) :]
        return cut(self._redactor.stack_trace(self._sanitizer.clean(value)), limit)

    def path(self, value: Any, limit: int) -> str | None:
        """Return a URL or path without credentials and without the values of its query."""
        if value is None or value == "":
            return None
        window = self._window(self._sanitizer.as_text(value), limit)
        return self._sanitizer.name(self._shortened(self._redactor.url(window), limit, value), limit)

    def _redacted(self, text: str, limit: int) -> str:
        return self._shortened(self._redactor.text(self._window(text, limit)), limit, text)

    def _window(self, text: str, limit: int) -> str:
        return self._sanitizer.clean(text if len(text) <= limit else text[: limit + ROOM_FOR_SECRETS])

    def _shortened(self, shown: str, limit: int, original: Any) -> str:
        """Cut what is shown; the mark names the length that the value had before anything was done to it."""
        length = len(original) if isinstance(original, str) else len(shown)
        if len(shown) <= limit and length <= limit + ROOM_FOR_SECRETS:
            return shown
        self._sanitizer.counts["cut"] += 1
        mark = cut_mark(max(length, len(shown)))
        return shown[: max(0, limit - len(mark))] + mark[:limit]


_LONGEST_REMEMBERED: Final = 512
_MOST_REMEMBERED: Final = 4096
_MOST_REMEMBERED_MESSAGES: Final = 256
