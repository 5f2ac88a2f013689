"""Values as requests bring them: whatever the store would have to mend is refused with the name of its field."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from e2edebug.django.api.query_parameters import shown_moment

METADATA_MOST_BYTES: Final = 65_536
METADATA_DEEPEST: Final = 20
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_CORRELATION_ID: Final = "^[A-Za-z0-9._-]{1,64}$"


class StrictTextField(serializers.CharField):
    """Text that came as text: a number or `true` is a mistake of the sender. Without NUL, which no column takes."""

    pattern = "^[^\\u0000]*$"

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        if data == "" and not self.allow_blank:
            self.fail("blank")
        return str(super().to_internal_value(data))


class NameField(StrictTextField):
    """A name: not empty, no white space around it, no control characters."""

    pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]([^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f])?$"

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        text = super().to_internal_value(data)
        if _NAME.fullmatch(text) is None:
            raise serializers.ValidationError("A name has no blanks around it and no control characters in it.")
        return text


_NAME: Final = re.compile(NameField.pattern.strip("^$"))


class _CodeField(StrictTextField):
    form: re.Pattern[str]

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if self.form.fullmatch(text) is None:
            self.fail("invalid")
        return text


@extend_schema_field({"type": "string", "pattern": _CORRELATION_ID})
class CorrelationIdField(_CodeField):
    """1-64 characters of `[A-Za-z0-9._-]`."""

    form = re.compile(_CORRELATION_ID.replace("$", r"\Z"))


@extend_schema_field({"type": "string", "pattern": "^(?!0{32})[0-9a-f]{32}$"})
class TraceIdField(_CodeField):
    """32 hexadecimal digits in lower case, not all zero (W3C Trace Context)."""

    form = re.compile(r"(?!0{32})[0-9a-f]{32}\Z")


@extend_schema_field({"type": "string", "pattern": "^(?!0{16})[0-9a-f]{16}$"})
class SpanIdField(_CodeField):
    """16 hexadecimal digits in lower case, not all zero (W3C Trace Context)."""

    form = re.compile(r"(?!0{16})[0-9a-f]{16}\Z")


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
    """A time with its zone, of the years 1971 to 2999; in answers always UTC, whatever the project's time zone."""

    pattern = "^(197[1-9]|19[89][0-9]|2[0-9]{3})-"

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time, UTC."""
        if not isinstance(value, str) or not _HAS_ZONE.search(value):
            self.fail("invalid", format="a time with its zone, such as 2026-11-25T12:00:00Z")
        try:
            moment = datetime.fromisoformat(value.replace("z", "Z").replace("t", "T")).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid", format="a time with its zone, such as 2026-11-25T12:00:00Z")
        if re.match(self.pattern, value) is None:
            raise serializers.ValidationError("A time of the years 1971 to 2999.")
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

    def get_attribute(self, instance: Any) -> Any:
        """Return what is to be shown: nothing is an empty object, unless null has a meaning."""
        value = super().get_attribute(instance)
        return {} if value is None and not self.allow_null else value

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


@extend_schema_field({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})
class AddressField(StrictTextField):
    """An IPv4 or IPv6 address."""

    def to_internal_value(self, data: Any) -> str:
        """Return the address in its usual spelling."""
        try:
            return str(ip_address(super().to_internal_value(data)))
        except ValueError:
            raise serializers.ValidationError("An IPv4 or IPv6 address.") from None


class PersonalField(serializers.CharField):
    """Who somebody was: hidden from those without `debugging.view_personal_data`."""

    def to_representation(self, value: Any) -> Any:
        """Return the value, or a mask."""
        if value is None or self.context.get("shows_personal_data"):
            return None if value is None else str(value)
        return MASK


MASK: Final = "[hidden]"
