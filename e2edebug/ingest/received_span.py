"""A span as the SDK would have it, made of what a sender says, or refused with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from e2edebug.ingest.limits import MOST_EVENTS, MOST_LINKS
from e2edebug.ingest.refusal import BadItem

Attributes = dict[str, Any]

# Exported means sampled: many exporters leave the bit out, and none sends what was not.
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_TELLS_IS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200
"""SpanFlags (opentelemetry-proto, trace.proto)."""
_KINDS: Final = {
    1: SpanKind.INTERNAL,
    2: SpanKind.SERVER,
    3: SpanKind.CLIENT,
    4: SpanKind.PRODUCER,
    5: SpanKind.CONSUMER,
}
_ENTRY_KINDS: Final = (SpanKind.SERVER, SpanKind.CONSUMER)
_CODES: Final = {1: StatusCode.OK, 2: StatusCode.ERROR}
_UNSET: Final = Status(StatusCode.UNSET)
_EMPTY_TRACE_ID: Final = bytes(16)
_EMPTY_SPAN_ID: Final = bytes(8)


class ReceivedSpan(ReadableSpan):
    """A span that knows how much its sender, and we, left out of it."""

    def __init__(self, *, left_out: int, **span: Any) -> None:
        super().__init__(**span)
        self._left_out = left_out

    @property
    def dropped_attributes(self) -> int:
        """Attributes, and what else of the span is missing."""
        return self._left_out


@dataclass(slots=True, kw_only=True)
class SpanWords:
    """What a sender says of one span, in Python's types; nothing of it is checked."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    flags: int
    name: str
    kind: int
    start_unix_ns: int
    end_unix_ns: int
    attributes: Attributes
    events: Sequence[Event] = ()
    links: Sequence[Link] = ()
    status_code: int
    status_message: str
    left_out: int = field(default=0)
    """Attributes, events and links that did not come along."""


def make_span(
    words: SpanWords, resource: Resource, scope: InstrumentationScope, *, latest_unix_ns: int
) -> ReadableSpan:
    """Return the span. Raises BadItem for ids that are none, and for a time that is missing or after *latest_unix_ns*."""
    if len(words.trace_id) != 16 or words.trace_id == _EMPTY_TRACE_ID:
        raise BadItem("a trace id that is not 16 bytes, or zero")
    if len(words.span_id) != 8 or words.span_id == _EMPTY_SPAN_ID:
        raise BadItem("a span id that is not 8 bytes, or zero")
    if len(words.parent_span_id) not in (0, 8):
        raise BadItem("a parent's span id that is not 8 bytes")
    if words.start_unix_ns <= 0:
        raise BadItem("no start time")
    if words.start_unix_ns > latest_unix_ns:
        raise BadItem("a start time more than a day ahead")
    kind = _KINDS.get(words.kind, SpanKind.INTERNAL)
    return ReceivedSpan(
        left_out=words.left_out,
        name=words.name,
        context=context_of(words.trace_id, words.span_id),
        parent=_parent(words, kind),
        resource=resource,
        attributes=words.attributes,
        events=words.events,
        links=words.links,
        kind=kind,
        status=_status(words),
        start_time=words.start_unix_ns,
        # A span without an end is one that runs; senders have only ended ones, so it is taken to have lasted no time.
        end_time=words.end_unix_ns or words.start_unix_ns,
        instrumentation_scope=scope,
    )


def context_of(trace_id: bytes, span_id: bytes, *, is_remote: bool = False) -> SpanContext:
    """Return the context of a span somewhere."""
    return SpanContext(int.from_bytes(trace_id), int.from_bytes(span_id), is_remote=is_remote, trace_flags=_SAMPLED)


def make_resource(attributes: Mapping[str, Any]) -> Resource:
    """Return a resource with those attributes that say which service, process and machine it is."""
    kept: dict[str, str | int | float | bool] = {}
    for name, value in attributes.items():
        if not name.startswith(_RESOURCE_NAMES) or len(kept) >= _MOST_RESOURCE_ATTRIBUTES or len(name) > _LONGEST_NAME:
            continue
        if isinstance(value, str):
            kept[name] = value[:_LONGEST_NAME]
        elif isinstance(value, bool | int | float):
            kept[name] = value
    return Resource(kept)


_RESOURCE_NAMES: Final = ("service.", "deployment.", "host.name", "process.pid", "telemetry.sdk.")
_MOST_RESOURCE_ATTRIBUTES: Final = 32
_LONGEST_NAME: Final = 255


def kept_of(given: Sequence[Any], most: int) -> tuple[Sequence[Any], int]:
    """Return the first *most*, and how many there are beyond them."""
    return given[:most], max(0, len(given) - most)


def kept_events(given: Sequence[Any]) -> tuple[Sequence[Any], int]:
    """Return the events that are kept, and how many are left out."""
    return kept_of(given, MOST_EVENTS)


def kept_links(given: Sequence[Any]) -> tuple[Sequence[Any], int]:
    """Return the links that are kept, and how many are left out."""
    return kept_of(given, MOST_LINKS)


def _parent(words: SpanWords, kind: SpanKind) -> SpanContext | None:
    if not words.parent_span_id or words.parent_span_id == _EMPTY_SPAN_ID:
        return None
    # Senders before OTLP 1.1 do not say; what answers a request or takes a message has its parent elsewhere.
    is_remote = bool(words.flags & _IS_REMOTE) if words.flags & _TELLS_IS_REMOTE else kind in _ENTRY_KINDS
    return context_of(words.trace_id, words.parent_span_id, is_remote=is_remote)


def _status(words: SpanWords) -> Status:
    code = _CODES.get(words.status_code)
    if code is None:
        return _UNSET
    return Status(code, words.status_message or None) if code is StatusCode.ERROR else Status(code)
