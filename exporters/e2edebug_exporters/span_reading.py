"""What is read of a span, fast, and the other spans of its batch."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode

from e2edebug_exporters.recording.span import RecordingSpan

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def raw_attributes(span: ReadableSpan) -> Mapping[str, Any]:
    """Return a span's attributes as a plain mapping.

    `span.attributes` is a proxy of a MutableMapping written in Python: iterating 12 items of it takes 3 us, which is
    half of what a whole span may cost here. Its dict is read directly where the SDK still has one; nobody writes to
    it any more, because the span has ended.
    """
    attributes = getattr(span, "_attributes", None)
    if type(attributes) is BoundedAttributes:
        inner = getattr(attributes, "_dict", None)
        if type(inner) is dict:
            return inner
    return plain_mapping(span.attributes if attributes is None else attributes)


def plain_mapping(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return attributes as something that iterates at C speed."""
    if type(attributes) is dict:
        return attributes
    if isinstance(attributes, BoundedAttributes):
        inner = getattr(attributes, "_dict", None)
        if type(inner) is dict:
            return inner
    return dict(attributes) if attributes else _NONE


def trace_number(span: ReadableSpan) -> int:
    """Return a span's trace id, 0 where it has no context."""
    if type(span) is RecordingSpan:  # which makes a context for whoever asks for that
        return span._trace_id
    context = span.context
    return 0 if context is None else context.trace_id


def is_sampled(span: ReadableSpan) -> bool:
    """Say whether a sampler let *span* through."""
    if type(span) is RecordingSpan:  # as above
        return bool(span._trace_flags & _SAMPLED)
    context = span.context
    return context is not None and context.trace_flags.sampled


def is_stored(span: ReadableSpan, keeps_trace: Callable[[int], bool] | None = None) -> bool:
    """Say whether an ended span becomes a step: its trace is sampled, or it failed or carries an exception.

    keeps_trace: what an operator has said of trace ids, None when nothing.
    """
    if type(span) is not RecordingSpan and span.context is None:
        return False
    if span.status.status_code is _ERROR:
        return True
    if is_sampled(span) and (keeps_trace is None or keeps_trace(trace_number(span))):
        return True
    return any(event.name == "exception" for event in span._events)


class SpanIndex:
    """The spans of one batch by id, built when the first of them is asked for."""

    def __init__(self, spans: Sequence[ReadableSpan]) -> None:
        self._spans = spans
        self._by_id: dict[tuple[int, int], ReadableSpan] | None = None
        self.layers: dict[int, str] = {}
        """Layers by span id that were found out for spans still to come."""

    def find(self, context: SpanContext | None) -> ReadableSpan | None:
        """Return the span that *context* names, if it is in the batch."""
        if context is None:
            return None
        if self._by_id is None:
            self._by_id = {ids: span for span in self._spans if (ids := _ids(span)) is not None}
        return self._by_id.get((context.trace_id, context.span_id))

    def local_root(self, span: ReadableSpan) -> ReadableSpan:
        """Return the furthest ancestor in this process and this batch; the span itself if there is none."""
        for _ in range(_MOST_GENERATIONS):
            parent = span.parent
            if parent is None or parent.is_remote:
                break
            above = self.find(parent)
            if above is None or above is span:
                break
            span = above
        return span


def _ids(span: ReadableSpan) -> tuple[int, int] | None:
    if type(span) is RecordingSpan:
        return span._trace_id, span._span_id
    context = span.context
    return None if context is None else (context.trace_id, context.span_id)


_ERROR: Final = StatusCode.ERROR  # a member looked up on its enum class costs more than a global
_SAMPLED: Final = 1
_MOST_GENERATIONS: Final = 200
