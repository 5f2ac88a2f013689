"""How many database statements each request ran, counted for every request, whether or not it was sampled.

Spans end from the inside out, so that a request's statements have been seen when the request itself ends. What ends
after it (the body of a streamed response) is not counted.
"""

from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug_exporters.span_reading import raw_attributes

METRIC_NAME: Final = "query_count"
UNIT: Final = "queries"

_MOST_TRACES: Final = 4096
"""Requests under way at once, and traces without one, that are remembered."""
_STATEMENTS: Final = (names.STATEMENT_DIGEST, "db.query.text", "db.statement")
_SERVER: Final = SpanKind.SERVER
_CONSUMER: Final = SpanKind.CONSUMER
_CLIENT: Final = SpanKind.CLIENT


class QueryCounts:
    """Counts statements by trace, until the request or task of the trace ends. Not safe for threads."""

    def __init__(self) -> None:
        self._by_trace: dict[int, int] = {}

    def take(self, span: ReadableSpan) -> int | None:
        """Count *span* if it is a statement. Return the number of statements if it is a request or a task that ended."""
        kind, context = span.kind, span.context
        if context is None:
            return None
        if kind is _CLIENT:
            attributes = raw_attributes(span)
            if any(name in attributes for name in _STATEMENTS):
                self._count(context.trace_id)
            return None
        if (kind is _SERVER or kind is _CONSUMER) and (span.parent is None or span.parent.is_remote):
            return self._by_trace.pop(context.trace_id, 0)
        return None

    def _count(self, trace_id: int) -> None:
        known = self._by_trace
        if trace_id not in known and len(known) >= _MOST_TRACES:
            for oldest in list(known)[: _MOST_TRACES // 2]:
                del known[oldest]
        known[trace_id] = known.get(trace_id, 0) + 1
