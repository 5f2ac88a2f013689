"""Where recorded spans begin: a tracer that decides as the SDK's does, and makes a cheaper span of it."""

from collections.abc import Sequence
from threading import Lock
from time import perf_counter_ns, time_ns
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
)
from opentelemetry.util.types import Attributes, AttributeValue

from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug_exporters.recording.origin import SpanOrigin
from e2edebug_exporters.recording.span import NOTHING_PREPARED, UNSET, RecordingSpan


class RecordingTracer(trace.Tracer):
    """Starts RecordingSpans. Everything else is said by the SDK's tracer for the same scope, which it stands for."""

    def __init__(self, stock: Tracer, origin: SpanOrigin) -> None:
        self.stock = stock
        self._origin = origin
        self._ids = stock.id_generator
        self._sampler = stock.sampler
        self._keeps_everything = stock.sampler is ALWAYS_ON
        self._is_enabled = stock._is_enabled
        # Ids of a generator of somebody else's have to be looked at.
        self._is_plain = (
            self._keeps_everything and type(stock.id_generator) is RandomIdGenerator and str in origin.plain_types
        )
        """Whether nobody but us has a say in how a span begins."""
        self._most_attributes = origin.most_attributes
        self._processors = origin.processors

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Return a started span, child of the one in *context* (default: the current context)."""
        above = (otel_context.get_current() if context is None else context).get(_SPAN_KEY)
        parent: SpanContext | None = None
        trace_id = parent_span_id = parent_flags = 0
        trace_state: TraceState = DEFAULT_TRACE_STATE
        if type(above) is RecordingSpan:
            if above._is_valid:
                trace_id, parent_span_id = above._trace_id, above._span_id
                parent_flags, trace_state = above._trace_flags, above._trace_state
        elif isinstance(above, Span):
            parent = above.get_span_context()
            if parent is not None and not isinstance(parent, SpanContext):
                raise TypeError("parent_span_context must be a SpanContext or None.")
            # A SpanContext is a tuple of these (see provider.py); each of its properties is a call of Python code.
            if parent is not None and parent[_IS_VALID]:
                trace_id, parent_span_id, _, parent_flags, trace_state, _ = parent
        if not self._is_enabled():
            if isinstance(above, RecordingSpan):
                parent = above.get_span_context()
            return NonRecordingSpan(trace.INVALID_SPAN_CONTEXT if parent is None else parent)
        ids = self._ids
        if parent_span_id:
            flags = parent_flags & _RANDOM
        else:
            parent = None
            trace_id = ids.generate_trace_id()
            flags = _RANDOM if ids.is_trace_id_random() else 0
        links = links or ()
        if self._keeps_everything:
            flags |= _SAMPLED
            is_recording = True
        else:
            result = self._sampler.should_sample(context, trace_id, name, kind, attributes, links)
            attributes = result.attributes
            trace_state = DEFAULT_TRACE_STATE if result.trace_state is None else result.trace_state
            is_recording = result.decision is not Decision.DROP
            if result.decision is Decision.RECORD_AND_SAMPLE:
                flags |= _SAMPLED
        span_id = ids.generate_span_id()
        is_valid = 0 < span_id <= _MOST_SPAN_ID and 0 < trace_id <= _MOST_TRACE_ID  # but for others' generators
        if not is_recording:
            return NonRecordingSpan(SpanContext(trace_id, span_id, False, _FLAGS[flags], trace_state))
        if type(above) is RecordingSpan and parent_span_id and not _is_like(above, flags, trace_state):
            parent = above.get_span_context()
        span = RecordingSpan(
            self._origin,
            name,
            (trace_id, span_id, _FLAGS[flags], trace_state, is_valid),
            parent,
            parent_span_id,
            kind,
            self.stock.resource,
            attributes,
            links,
            record_exception,
            set_status_on_exception,
            start_time,
        )
        for processor in self._origin.processors.added:
            processor.on_start(span, parent_context=context)  # type: ignore[arg-type] # registered as one in span.py
        return span

    def start_plain_span(
        self, name: str, context: Context, kind: SpanKind, attributes: dict[str, AttributeValue]
    ) -> Span:
        """Return a started span, as start_span() does, at half of its cost.

        attributes: becomes the span's own, so the caller lets go of it, or PreparedAttributes, which stay as they are. Keys
        are str and not empty, values plain: str, int, float, bool. For instrumentors that know their attributes; they ask
        whether a tracer has this.
        """
        above = context.get(_SPAN_KEY)
        if (
            not self._is_plain
            or type(above) is not RecordingSpan
            or not above._is_valid
            or len(attributes) > self._most_attributes
            or not self._is_enabled()
        ):
            return self.start_span(name, context, kind, dict(attributes))  # a sampler may change it
        flags = above._trace_flags
        # What RecordingSpan's constructor does, without the call of it and what it has to look at.
        span = _new_span(RecordingSpan)
        span._origin = self._origin
        span._name = name
        span._trace_id = above._trace_id
        span._span_id = self._ids.generate_span_id()
        span._trace_state = above._trace_state
        span._is_valid = True
        span._made_context = span._given_parent = None
        span._parent_span_id = above._span_id
        span._queue_sequence = span._queue_bytes = 0
        if flags & _SAMPLED:
            span._trace_flags = flags
        else:
            span._trace_flags = _FLAGS[flags & _RANDOM | _SAMPLED]
            span._given_parent = above.get_span_context()
        span._kind = kind
        span._resource = self.stock.resource
        span._record_exception = span._set_status_on_exception = True
        span._status = UNSET
        span._end_time = None
        span._events = span._links = ()
        span._lock = Lock()
        if type(attributes) is PreparedAttributes:
            span._prepared, span._own = attributes, {}
        else:
            span._prepared, span._own = NOTHING_PREPARED, attributes
        span._start_time = time_ns()
        span._begun_at_ns = perf_counter_ns()
        for processor in self._processors.added:
            processor.on_start(span, parent_context=context)  # type: ignore[arg-type] # registered as one in span.py
        return span

    # Context manager and decorator of functions, coroutines included; it needs start_span() alone.
    start_as_current_span = Tracer.start_as_current_span

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stock, name)


def _is_like(above: RecordingSpan, flags: int, trace_state: TraceState) -> bool:
    """Say whether the context of *above* is that of its child but for the span id."""
    return flags == above._trace_flags and trace_state is above._trace_state


_SPAN_KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Under which a context has its span: asking for the span costs two calls more."""
_IS_VALID: Final = 5
_MOST_TRACE_ID: Final = 2**128 - 1
_MOST_SPAN_ID: Final = 2**64 - 1
_new_span: Final = RecordingSpan.__new__
_SAMPLED: Final = 1
_RANDOM: Final = 2
_FLAGS: Final = tuple(TraceFlags(value) for value in range(4))
"""By value: a TraceFlags is made anew by every operation on it."""
