"""Where recorded spans begin: a tracer that decides as the SDK's does, and makes a cheaper span of it."""

from collections.abc import Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from e2edebug_exporters.recording.origin import SpanOrigin
from e2edebug_exporters.recording.span import RecordingSpan


class RecordingTracer(trace.Tracer):
    """Starts RecordingSpans. Everything else is said by the SDK's tracer for the same scope, which it stands for."""

    def __init__(self, stock: Tracer, origin: SpanOrigin) -> None:
        self.stock = stock
        self._origin = origin
        self._ids = stock.id_generator
        self._sampler = stock.sampler
        self._keeps_everything = stock.sampler is ALWAYS_ON
        self._is_enabled = stock._is_enabled

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
        parent: SpanContext | None = trace.get_current_span(context).get_span_context()
        if parent is not None and not isinstance(parent, SpanContext):
            raise TypeError("parent_span_context must be a SpanContext or None.")
        if not self._is_enabled():
            return NonRecordingSpan(parent)  # type: ignore[arg-type] # as the SDK does
        ids = self._ids
        if parent is None or not parent.is_valid:
            parent = None
            trace_id = ids.generate_trace_id()
            flags = _RANDOM if ids.is_trace_id_random() else 0
            trace_state: TraceState | None = None
        else:
            trace_id = parent.trace_id
            flags = parent.trace_flags & _RANDOM
            trace_state = parent.trace_state
        links = links or ()
        if self._keeps_everything:
            flags |= _SAMPLED
        else:
            result = self._sampler.should_sample(context, trace_id, name, kind, attributes, links)
            decision, attributes, trace_state = result.decision, result.attributes, result.trace_state
            if decision is Decision.RECORD_AND_SAMPLE:
                flags |= _SAMPLED
            if decision is Decision.DROP:
                return NonRecordingSpan(
                    SpanContext(trace_id, ids.generate_span_id(), False, _FLAGS[flags], trace_state)
                )
        span = RecordingSpan(
            self._origin,
            name,
            SpanContext(trace_id, ids.generate_span_id(), False, _FLAGS[flags], trace_state),
            parent,
            kind,
            self.stock.resource,
            attributes,
            links,
            record_exception,
            set_status_on_exception,
        )
        span.start(start_time, context)
        return span

    # Context manager and decorator of functions, coroutines included; it needs start_span() alone.
    start_as_current_span = Tracer.start_as_current_span

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stock, name)


_SAMPLED: Final = 1
_RANDOM: Final = 2
_FLAGS: Final = tuple(TraceFlags(value) for value in range(4))
"""By value: a TraceFlags is made anew by every operation on it."""
