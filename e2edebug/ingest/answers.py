"""What a sender is told, in the encoding that it wrote in (OTLP specification, "OTLP/HTTP Response").

The messages have two fields each, so they are written by hand: answering needs no protobuf package.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_MOST_REASONS: Final = 5
_GRPC_CODES: Final = {
    400: 3, 401: 16, 403: 7, 404: 12, 405: 12, 411: 3, 413: 3, 415: 3, 429: 8, 500: 13, 503: 14,
}  # fmt: skip
"""What a google.rpc.Status calls them (google/rpc/code.proto)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def success(media_type: str, rejected: Counter[str]) -> Answer:
    """Return 200, with how many items were rejected for which reason; a sender does not send them again."""
    count = rejected.total()
    if not count:
        return _answer(200, media_type, {} if media_type == JSON else b"")
    text = _reasons(rejected)
    if media_type == JSON:  # 64-bit numbers are text in JSON
        return _answer(200, JSON, {"partialSuccess": {"rejectedSpans": str(count), "errorMessage": text}})
    return _answer(200, PROTOBUF, _field(1, _number(1, count) + _field(2, text.encode())))


def failure(status: int, media_type: str, text: str, headers: Mapping[str, str]) -> Answer:
    """Return a refusal of the whole request, as a google.rpc.Status."""
    code = _GRPC_CODES.get(status, 2)
    content: Any = (
        {"code": code, "message": text} if media_type == JSON else _number(1, code) + _field(2, text.encode())
    )
    return _answer(status, media_type, content, headers)


def _answer(status: int, media_type: str, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    # What is answered is ours alone, and still nobody shall take it for a page.
    common = {"Content-Type": media_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Answer(status, {**common, **(headers or {})}, body)


def _reasons(rejected: Counter[str]) -> str:
    parts = [f"{count} {'span' if count == 1 else 'spans'}: {reason}" for reason, count in rejected.most_common()]
    more = len(parts) - _MOST_REASONS
    return "; ".join([*parts[:_MOST_REASONS], *([f"{more} more reasons"] if more > 0 else [])])


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
