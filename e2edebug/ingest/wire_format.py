"""The outer levels of an OTLP request, walked by hand: its items are found and counted before any of them is an object.

Ten million empty spans are 19 MiB of protobuf and 19 kB of gzip; parsed as one message they took 1.75 GiB. And a message
that is parsed as a whole is lost as a whole when one text in it is no UTF-8. The three levels are the same for traces,
logs and metrics: `resource_* = 1` in the request; `resource = 1` and `scope_* = 2`; `scope = 1` and the items `= 2`
(opentelemetry-proto, trace.proto, logs.proto, metrics.proto; encoding: protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from e2edebug.ingest.refusal import Refusal, malformed

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10
_FIELDS_PER_ITEM: Final = 4
"""Resources, scopes and schema addresses beside the items; a sender that has more of them sends nothing but them."""


@dataclass(slots=True)
class ScopeSlice:
    """The items of one instrumentation scope, none of them parsed."""

    scope: bytes
    items: list[memoryview]


@dataclass(slots=True)
class ResourceSlice:
    """The scopes of one resource."""

    resource: bytes
    scopes: list[ScopeSlice]


def slice_request(body: bytes, *, max_items: int) -> list[ResourceSlice]:
    """Return where the items of a request lie. Raises Refusal: 413 for too many of them, 400 for what is no protobuf."""
    walk = _Walk(max_items)
    return [walk.resource(content) for content in walk.messages(memoryview(body), wanted=1)]


class _Walk:
    """Counts what it passes, and stops in time."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._items = 0
        self._fields_left = max_items * _FIELDS_PER_ITEM

    def resource(self, data: memoryview) -> ResourceSlice:
        parts: list[memoryview] = []
        scopes: list[ScopeSlice] = []
        for number, content in self._fields(data):
            if number == 1:
                parts.append(content)
            elif number == 2:
                scopes.append(self._scope(content))
        return ResourceSlice(b"".join(parts), scopes)  # a message given twice is merged, which joining its bytes does

    def messages(self, data: memoryview, *, wanted: int) -> Iterator[memoryview]:
        return (content for number, content in self._fields(data) if number == wanted)

    def _scope(self, data: memoryview) -> ScopeSlice:
        parts: list[memoryview] = []
        items: list[memoryview] = []
        for number, content in self._fields(data):
            if number == 1:
                parts.append(content)
            elif number == 2:
                self._items += 1
                if self._items > self._max_items:
                    raise Refusal(413, f"the request has more than {self._max_items} items")
                items.append(content)
        return ScopeSlice(b"".join(parts), items)

    def _fields(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Yield number and content of each field that has a length; the others are passed over."""
        at, end = 0, len(data)
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise Refusal(413, "the request has too many parts")
            tag, at = _varint(data, at)
            kind, number = tag & 7, tag >> 3
            if kind == _BYTES:
                length, at = _varint(data, at)
                start, at = at, at + length
            elif kind == _VARINT:
                start, at = at, _varint(data, at)[1]
            elif kind == _FIXED64:
                start, at = at, at + 8
            elif kind == _FIXED32:
                start, at = at, at + 4
            else:
                raise malformed("the body is no protobuf message")
            if at > end or not number:
                raise malformed("the body is no protobuf message, or it is cut off")
            if kind == _BYTES:
                yield number, data[start:at]
            elif number in (1, 2):
                raise malformed("the body is no OTLP request")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the number that stands at *at*, and where it ends."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise malformed("the body is no protobuf message, or it is cut off")
