"""Values as requests bring them: whatever the store would have to mend is refused with the name of its field."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from e2edebug.django.api.query_parameters import EARLIEST, LATEST, shown_moment

METADATA_MOST_BYTES: Final = 65_536
METADATA_DEEPEST: Final = 20
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_CORRELATION_ID: Final = "^[A-Za-z0-9._-]{1,64}$"
_LARGEST_ID: Final = (1 << 63) - 1


@extend_schema_field({"type": "string", "pattern": _CORRELATION_ID})
class CorrelationIdField(serializers.RegexField):
    """1-64 characters of `[A-Za-z0-9._-]`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(_CORRELATION_ID.replace("$", r"\Z")), trim_whitespace=False, **options)


@extend_schema_field({"type": "string", "pattern": "^(?!0{32})[0-9a-f]{32}$"})
class TraceIdField(serializers.RegexField):
    """32 hexadecimal digits in lower case, not all zero (W3C Trace Context)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(r"(?!0{32})[0-9a-f]{32}\Z"), trim_whitespace=False, **options)


@extend_schema_field({"type": "string", "pattern": "^(?!0{16})[0-9a-f]{16}$"})
class SpanIdField(serializers.RegexField):
    """16 hexadecimal digits in lower case, not all zero (W3C Trace Context)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(re.compile(r"(?!0{16})[0-9a-f]{16}\Z"), trim_whitespace=False, **options)


class StrictTextField(serializers.CharField):
    """Text that came as text: a number or `true` is a mistake of the sender."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class NameField(StrictTextField):
    """A name: not empty, no blanks around it, no control characters."""

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        text = super().to_internal_value(data)
        if text != text.strip() or not text.isprintable():
            raise serializers.ValidationError("A name has no blanks around it and no control characters in it.")
        return text


class FiniteFloatField(serializers.FloatField):
    """A JSON number; texts, booleans, and what is larger than a double can hold are refused."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number."""
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        try:
            number = float(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        return number


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if isinstance(data, bool) or not (isinstance(data, int) or (isinstance(data, float) and data.is_integer())):
            self.fail("invalid")
        return int(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`; not "yes", not 1."""

    def to_internal_value(self, data: Any) -> bool:
        """Return it."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class MomentField(serializers.DateTimeField):
    """A time with its zone between 1970 and 9999; in answers always UTC, whatever the project's time zone."""

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time, UTC."""
        if not isinstance(value, str) or not _HAS_ZONE.search(value):
            self.fail("invalid", format="a time with its zone, such as 2026-11-25T12:00:00Z")
        try:
            moment = datetime.fromisoformat(value.replace("z", "Z").replace("t", "T")).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid", format="a time with its zone, such as 2026-11-25T12:00:00Z")
        if not EARLIEST <= moment <= LATEST:
            raise serializers.ValidationError("A time between 1970 and 9999.")
        return moment

    def to_representation(self, value: datetime | None) -> Any:
        """Return the time as ISO 8601 in UTC."""
        return None if value is None else shown_moment(value)


_HAS_ZONE: Final = re.compile(r"(?i)(z|[+-]\d\d:?\d\d)$")


@extend_schema_field({"type": "object", "additionalProperties": {}})
class MetadataField(serializers.Field):
    """A JSON object of at most 64 KiB and 20 levels, without NUL and lone surrogates."""

    default_error_messages = {
        "object": 'An object, such as {{"cart": 3}}.',
        "large": f"At most {METADATA_MOST_BYTES} bytes as JSON.",
        "deep": f"At most {METADATA_DEEPEST} levels.",
        "text": "A NUL character or a lone surrogate cannot be stored.",
        "number": "A number that is larger than a double can hold cannot be stored.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(data, dict):
            self.fail("object")
        for value, depth in _values(data):
            if depth > METADATA_DEEPEST:
                self.fail("deep")
            if isinstance(value, str) and _UNSTORABLE.search(value):
                self.fail("text")
            if isinstance(value, float) and not math.isfinite(value):
                self.fail("number")
        if len(json.dumps(data, ensure_ascii=False).encode()) > METADATA_MOST_BYTES:
            self.fail("large")
        return data

    def to_representation(self, value: Any) -> dict[str, Any]:
        """Return the object; a text that is none, written by hand, stands under `text`."""
        if isinstance(value, Mapping):
            return dict(value)
        return {} if value is None else {"text": value}


def _values(document: Any) -> Iterator[tuple[Any, int]]:
    """Every key and value with its depth, without recursion."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if depth > METADATA_DEEPEST:
            return
        if isinstance(value, dict):
            waiting.extend((key, depth) for key in value)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)


class PersonalField(serializers.CharField):
    """Who somebody was: hidden from those without `debugging.view_personal_data`."""

    def to_representation(self, value: Any) -> Any:
        """Return the value, or a mask."""
        if value is None or self.context.get("shows_personal_data"):
            return None if value is None else str(value)
        return MASK


MASK: Final = "[hidden]"
