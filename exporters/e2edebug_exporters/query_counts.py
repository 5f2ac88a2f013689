"""How many database statements each request ran, counted for every request, whether or not it was sampled.

Spans end from the inside out, so that a request's statements have been seen when the request itself ends. What ends
after it (the body of a streamed response) is not counted.
"""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug_exporters.recording.span import NOTHING_PREPARED, RecordingSpan
from e2edebug_exporters.span_reading import raw_attributes, trace_number

METRIC_NAME: Final = "query_count"
UNIT: Final = "queries"

_MOST_TRACES: Final = 4096
"""Requests under way at once, and traces without one, that are remembered."""
_DIGEST: Final = names.STATEMENT_DIGEST
_TEXT: Final = "db.query.text"
_OLD_TEXT: Final = "db.statement"
_SERVER: Final = SpanKind.SERVER
_CONSUMER: Final = SpanKind.CONSUMER
_CLIENT: Final = SpanKind.CLIENT


class QueryCounts:
    """Counts statements by trace, until the request or task of the trace ends. Not safe for threads."""

    def __init__(self) -> None:
        self._by_trace: dict[int, int] = {}

    def take(self, span: ReadableSpan) -> int | None:
        """Count *span* if it is a statement. Return the number of statements if it is a request or a task that ended."""
        kind = span.kind
        if type(span) is not RecordingSpan and span.context is None:
            return None
        if kind is _CLIENT:
            attributes: Mapping[str, Any] = span._prepared if type(span) is RecordingSpan else NOTHING_PREPARED
            if _DIGEST not in attributes:
                attributes = raw_attributes(span)
            # Not any() over a generator, which takes six calls: it is asked of every statement.
            if _DIGEST in attributes or _TEXT in attributes or _OLD_TEXT in attributes:
                trace_id = trace_number(span)
                known = self._by_trace
                if trace_id in known:
                    known[trace_id] += 1
                else:
                    self._begin(trace_id)
            return None
        if (kind is _SERVER or kind is _CONSUMER) and (span.parent is None or span.parent.is_remote):
            return self._by_trace.pop(trace_number(span), 0)
        return None

    def _begin(self, trace_id: int) -> None:
        known = self._by_trace
        if len(known) >= _MOST_TRACES:
            for oldest in list(known)[: _MOST_TRACES // 2]:
                del known[oldest]
        known[trace_id] = 1
