"""The SDK's spans enter the pipeline here. An exception in a processor reaches the application, so none leaves it."""

from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from e2edebug.policy import attributes as names
from e2edebug.policy.correlation_id import CONTEXT_KEY
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.span import RecordingSpan
from e2edebug_exporters.span_reading import is_sampled, is_stored, raw_attributes, trace_number


class SpanPipelineProcessor(SpanProcessor):
    """Gives each span its correlation id at its start, and hands it over at its end.

    Every ended span is counted in the durations; stored are the sampled ones and those with an error. A span that begins with
    `e2edebug.pending` is stored at once as `started`, so that a workflow can be seen while it runs.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._span_metrics = pipeline.span_metrics
        self._is_shut_down = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note the workflow, and announce the span if it asks for it."""
        try:
            correlation_id = (otel_context.get_current() if parent_context is None else parent_context).get(CONTEXT_KEY)
            if correlation_id is not None:
                span.set_attribute(names.CORRELATION_ID, str(correlation_id))
            # Not span.attributes: a view that follows the span makes a RecordingSpan give up its plain dict.
            begun: ReadableSpan = span
            is_pending = (
                begun.attribute(_PENDING) if type(begun) is RecordingSpan else raw_attributes(begun).get(_PENDING)
            )
            if is_pending is True and self._is_sampled(span):
                self._pipeline.put_span(_as_started(span))
        except Exception as error:  # noqa: BLE001 # the edge to the application
            internal_error("note the start of a span", error)

    def on_end(self, span: ReadableSpan) -> None:
        """Count the span's duration and, if it is sampled or tells of an error, take it over."""
        if self._is_shut_down:
            return
        try:
            pipeline, metrics = self._pipeline, self._span_metrics
            if pipeline.configuration.is_monitoring:
                metrics.record(span)
            if (
                type(span) is RecordingSpan and span._trace_flags & _SAMPLED and metrics.keeps_trace is None  # as usual
            ) or is_stored(span, metrics.keeps_trace):
                pipeline.put_span(span)
        except Exception as error:  # noqa: BLE001 # the edge to the application
            internal_error("take over a span", error)

    def _is_sampled(self, span: Span) -> bool:
        keeps_trace = self._span_metrics.keeps_trace
        return is_sampled(span) and (keeps_trace is None or keeps_trace(trace_number(span)))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write what was emitted; True once all of it is accounted for."""
        return self._pipeline.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Take no more spans and write those that wait. The pipeline goes on for logs and metrics."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._pipeline.flush_at_exit()


_PENDING: Final = names.PENDING  # a global is looked up in half the time of an attribute of a module
_SAMPLED: Final = 1


def _as_started(span: Span) -> ReadableSpan:
    """Return a copy of a running span; its own attributes go on changing."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=dict(span.attributes or {}),
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=None,
        instrumentation_scope=span.instrumentation_scope,
    )
