"""Tells which workflow the running code belongs to."""

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from e2edebug.policy import correlation_id


def current_correlation_id(context: Context | None = None) -> str | None:
    """Return the correlation id of *context* (default: the current one), None outside any workflow and span.

    The id set by a request or an explicit workflow comes first, else the current span's trace id as a UUID: the same
    order in which the exporter fills the column.
    """
    from_context = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
    if isinstance(from_context, str):
        return from_context
    span_context = trace.get_current_span(context).get_span_context()
    return correlation_id.from_trace_id(span_context.trace_id) if span_context.is_valid else None
