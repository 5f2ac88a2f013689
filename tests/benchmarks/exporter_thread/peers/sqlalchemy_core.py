"""A plain exporter: one dictionary a span, `json.dumps` of its attributes, one SQLAlchemy Core insert a batch.

Into the same table, so with the same indexes. Nothing is redacted, and no sessions and summaries are kept.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import trace_step

NAME = "SQLAlchemy Core, PyMySQL"
WHO = "peer"


class CoreExporter(SpanExporter):
    def __init__(self, store_url: str) -> None:
        self._engine = create_store_engine(store_url)
        migrate(self._engine)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        rows = [_row(span) for span in spans]
        with self._engine.begin() as connection:
            connection.execute(trace_step.insert(), rows)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._engine.dispose()


def exporter(store_url: str, sink_url: str) -> SpanExporter:
    return CoreExporter(store_url)


def _row(span: ReadableSpan) -> dict[str, Any]:
    attributes = dict(span.attributes or {})
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    trace_id = format_trace_id(span.context.trace_id)
    return {
        "correlation_id": attributes.get("correlation.id", trace_id),
        "trace_id": trace_id,
        "span_id": format_span_id(span.context.span_id),
        "parent_span_id": format_span_id(span.parent.span_id) if span.parent is not None else None,
        "layer": "api" if span.kind.name == "SERVER" else "database",
        "component": attributes.get("e2edebug.component", ""),
        "operation": span.name,
        "kind": span.kind.name.lower(),
        "service": span.resource.attributes["service.name"],
        "start_time": datetime.fromtimestamp(span.start_time / 1e9, UTC),
        "end_time": datetime.fromtimestamp(span.end_time / 1e9, UTC),
        "duration_ms": (span.end_time - span.start_time) / 1e6,
        "status": "failed" if span.status.status_code is StatusCode.ERROR else "completed",
        "status_message": span.status.description or "",
        "statement": attributes.get("db.query.text"),
        "statement_digest": attributes.get("e2edebug.db.digest"),
        "code_location": f"{attributes.get('code.file.path')}:{attributes.get('code.line.number')}",
        "metadata": json.dumps({**attributes, "events": [dict(event.attributes or {}) for event in span.events]}),
    }
