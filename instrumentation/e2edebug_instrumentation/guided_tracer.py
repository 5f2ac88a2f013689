"""Lets our rules decide over the spans of OpenTelemetry's own instrumentors.

Such an instrumentor knows how to wrap its library. Which call becomes a span, what stands on it and how its failure is
told is asked of a SpanGuide, through the tracer provider that the instrumentor is given.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Tracer, TracerProvider
from opentelemetry.util.types import Attributes, AttributeValue

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.context_end import detach


class SpanGuide(Protocol):
    """The rules for the spans of one instrumentor."""

    def begin(self, tracer: Tracer, name: str, attributes: Mapping[str, AttributeValue]) -> Span | None:
        """Start the span of a call with *tracer*; None when it shall have none."""

    def fail(self, span: Span, error: BaseException) -> None:
        """Say on *span* that the call raised *error*."""

    def end(self, span: Span) -> None:
        """End *span*."""


class GuidedTracerProvider(TracerProvider):
    """What an instrumentor is given in place of *tracer_provider* (default: the process's)."""

    def __init__(self, guide: SpanGuide, tracer_provider: TracerProvider | None = None) -> None:
        self._guide = guide
        self._tracer_provider = tracer_provider

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """Return a tracer whose spans begin and end by the guide's rules."""
        inner = trace.get_tracer(
            instrumenting_module_name, instrumenting_library_version, self._tracer_provider, schema_url, attributes
        )
        return _GuidedTracer(inner, self._guide)


class _GuidedTracer(Tracer):
    def __init__(self, inner: Tracer, guide: SpanGuide) -> None:
        self._inner = inner
        self._guide = guide

    def start_span(
        self,
        name: str,
        context: Context | None = None,  # noqa: ARG002 - the interface's parameter; these instrumentors never give one
        kind: SpanKind = SpanKind.INTERNAL,  # noqa: ARG002 - they are all clients
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 - as above
        start_time: int | None = None,  # noqa: ARG002 - as above
        record_exception: bool = True,  # noqa: ARG002 - the guide decides
        set_status_on_exception: bool = True,  # noqa: ARG002 - as above
    ) -> Span:
        return self._begin(name, attributes) or NonRecordingSpan(trace.get_current_span().get_span_context())

    def start_as_current_span(self, name: str, *_: Any, attributes: Attributes = None, **__: Any) -> Any:
        return _CurrentSpan(self._begin(name, attributes), self._guide)

    def _begin(self, name: str, attributes: Attributes) -> Span | None:
        try:
            return self._guide.begin(self._inner, name, attributes or {})
        except Exception as error:  # noqa: BLE001 - the application's call goes on without a span
            internal_error("begin the span of a call", error)
            return None


class _CurrentSpan:
    """A span for the time of a `with`: written out, since a generator costs a fifth of the span."""

    __slots__ = ("_guide", "_span", "_token")

    def __init__(self, span: Span | None, guide: SpanGuide) -> None:
        self._span = span
        self._guide = guide

    def __enter__(self) -> Span:
        if self._span is None:
            # The enclosing span stays the current one, and nothing that is said here reaches it.
            return NonRecordingSpan(trace.get_current_span().get_span_context())
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._span is None:
            return
        detach(self._token)
        try:
            if error is not None:
                self._guide.fail(self._span, error)
            self._guide.end(self._span)
        except Exception as own_error:  # noqa: BLE001 - the application must get its own error, not ours
            internal_error("end the span of a call", own_error)
