"""What may be stored of a value, by the name that it goes by and by what it looks like.

Names decide first, and cost a dictionary look-up after the first time; values are searched for the few things that
give themselves away. Nothing here shortens: cut before, so that the time stays bounded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from e2edebug.policy.error_text import mask_error_message, mask_stack_trace, mask_text
from e2edebug.policy.secret_names import (
    HEADER_PREFIXES,
    PLAIN_HEADERS,
    PRIVATE_NAMES,
    comparable_name,
    is_secret_name,
)
from e2edebug.policy.secret_text import MASK, is_card_number, mask_query, mask_url
from e2edebug.policy.sql_text import mask_literals

__all__ = ["MASK", "Redactor", "Treatment"]


class Treatment(Enum):
    """What the name of an attribute asks of its value."""

    SECRET = "secret"  # noqa: S105 - the name of a treatment
    """Never stored; the name stays, so that its absence shows."""
    URL = "url"
    QUERY = "query"
    ERROR_MESSAGE = "error message"
    STACK_TRACE = "stack trace"
    TEXT = "text"


class Redactor:
    """Takes secrets out of names and values. Never raises; one may serve many threads.

    extra_keys: names that are secret in this application, in any spelling (`loyalty-number`, `loyaltyNumber`).
    """

    def __init__(self, extra_keys: Iterable[str] = ()) -> None:
        self._extra_keys = tuple(comparable_name(key.strip()) for key in extra_keys if key.strip())
        self._treatments: dict[str, Treatment] = {}

    def treatment(self, key: str) -> Treatment:
        """Return what *key* asks of its values."""
        found = self._treatments.get(key)
        if found is None:
            if len(self._treatments) >= _MOST_REMEMBERED_NAMES:
                self._treatments.clear()
            found = self._treatments[key] = self._treatment_of(key[:_LONGEST_NAME])
        return found

    def is_secret_key(self, key: str) -> bool:
        """Tell whether values of this name are never stored."""
        return self.treatment(key) is Treatment.SECRET

    def attribute(self, key: str, value: Any, *, depth: int = 0) -> Any:
        """Return *value* as it may be stored under *key*: mappings and sequences are followed 20 levels deep."""
        treatment = self.treatment(key)
        if treatment is Treatment.SECRET:
            return MASK
        return self._value(treatment, value, depth)

    def string(self, treatment: Treatment, value: str) -> str:
        """Return a string as its name's *treatment* wants it."""
        return MASK if treatment is Treatment.SECRET else _BY_TREATMENT[treatment](value)

    def text(self, text: str) -> str:
        """Return free text without the secrets that can be told by their looks."""
        return mask_text(text)

    def url(self, url: str) -> str:
        """Return a URL without credentials and without the values of its query string."""
        return mask_url(url)

    def error_message(self, message: str, error_type: str = "") -> str:
        """Return an exception's message, also without the values that databases quote."""
        return mask_error_message(message, error_type)

    def stack_trace(self, stack: str) -> str:
        """Return a stack trace; its frames stay as they are, its messages are treated as messages."""
        return mask_stack_trace(stack)

    def _value(self, treatment: Treatment, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.string(treatment, value)
        if isinstance(value, int) and self.is_card_number(value):
            return MASK
        if value is None or isinstance(value, (bool, int, float, bytes)):
            return value
        if depth >= _DEEPEST:
            return MASK
        if isinstance(value, Mapping):
            hidden = self.secret_member(value)
            return {
                str(key): MASK if key == hidden else self.attribute(str(key), item, depth=depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, Sequence):
            if self.is_secret_pair(value):
                return [value[0], MASK]
            return [
                MASK if index and self.is_secret_option(value[index - 1]) else self._value(treatment, item, depth + 1)
                for index, item in enumerate(value)
            ]
        return value

    def is_secret_pair(self, items: Sequence[Any]) -> bool:
        """Tell whether *items* is a name and its secret, as in `[("Cookie", "…"), …]`."""
        return len(items) == 2 and isinstance(items[0], str) and self.is_secret_key(items[0])

    def is_card_number(self, number: int) -> bool:
        """Tell whether a whole number is one of a payment card."""
        return SMALLEST_CARD_NUMBER <= number < _LARGEST_CARD_NUMBER and is_card_number(number)

    def is_secret_option(self, word: Any) -> bool:
        """Tell whether *word* announces a secret in a list of a program's arguments, as `--password` does."""
        return type(word) is str and word.startswith("-") and "=" not in word and self.is_secret_key(word.lstrip("-"))

    def secret_member(self, value: Mapping[Any, Any]) -> str | None:
        """Return the key of a secret that another member names: `value` in `{"name": "Cookie", "value": "…"}`."""
        for value_key in _VALUE_MEMBERS:
            if value_key in value:
                names = (value.get(name_key) for name_key in _NAME_MEMBERS)
                if any(isinstance(name, str) and self.is_secret_key(name) for name in names):
                    return value_key
        return None

    def _treatment_of(self, key: str) -> Treatment:
        name = comparable_name(key)
        if name.startswith(HEADER_PREFIXES):
            header = name.partition("header.")[2] or name.partition("metadata.")[2]
            if header not in PLAIN_HEADERS or self._is_extra(name):
                return Treatment.SECRET
            return Treatment.URL if header in _URL_HEADERS else Treatment.TEXT
        if self._is_extra(name) or PRIVATE_NAMES.search(name):
            return Treatment.SECRET
        if is_secret_name(key):
            return Treatment.SECRET
        if name in _BY_NAME:
            return _BY_NAME[name]
        return Treatment.URL if _URL_NAME.search(name) else Treatment.TEXT

    def _is_extra(self, name: str) -> bool:
        return any(key in name for key in self._extra_keys)


def _mask_plain(text: str) -> str:
    """Return a text without secrets; a text that is a statement, also without its literals."""
    if _STATEMENT.match(text) is not None:
        text = mask_literals(text)
    return mask_text(text)


SMALLEST_CARD_NUMBER: Final = 10**12
_LARGEST_CARD_NUMBER: Final = 10**19
_NAME_MEMBERS: Final = ("name", "key", "header", "field", "Name", "Key")
_VALUE_MEMBERS: Final = ("value", "Value", "val", "content")

# Only what no sentence begins with: the apostrophes of prose would pair up as quotes.
_STATEMENT: Final = re.compile(
    r"\s{0,20}+\(?(?:SELECT\s|(?i:select\s[^\n]{1,2000}?\sfrom\s|insert\s+into\s|replace\s+into\s|delete\s+from\s|merge\s+into\s"
    r"|update\s+\S{1,200}+\s+set\s|(?:create|alter)\s+user\s|set\s+password\b|pragma\s+\w+\s*=|grant\s[^\n]{1,200}?\sto\s"
    r"|with\s+(?:recursive\s+)?[\w`\"]+\s+as\s*\(|call\s+[\w.`]+\s*\(|exec(?:ute)?\s+[\w.\[\]]+\s+@))"
)

_DEEPEST: Final = 20
_LONGEST_NAME: Final = 1000
_MOST_REMEMBERED_NAMES: Final = 10_000
"""Names come from outside; a sender that invents them must not fill the memory."""

_URL_NAME: Final = re.compile(r"(?:^|[._])(?:url|uri|href|dsn|referrer|referer)$|^url\.full$|^http\.(?:url|target)$")
_URL_HEADERS: Final = frozenset({"referer", "location", "origin"})
_BY_NAME: Final = {
    "url.full": Treatment.URL,
    "http.url": Treatment.URL,
    "http.target": Treatment.URL,
    "url.path": Treatment.URL,
    "db.connection_string": Treatment.URL,
    "url.query": Treatment.QUERY,
    "url.fragment": Treatment.QUERY,
    "query_string": Treatment.QUERY,
    "exception.message": Treatment.ERROR_MESSAGE,
    "exception.stacktrace": Treatment.STACK_TRACE,
}
_BY_TREATMENT: Final = {
    Treatment.URL: mask_url,
    Treatment.QUERY: mask_query,
    Treatment.ERROR_MESSAGE: mask_error_message,
    Treatment.STACK_TRACE: mask_stack_trace,
    Treatment.TEXT: _mask_plain,
}
