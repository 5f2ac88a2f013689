"""A plain exporter into MariaDB: one dictionary a span, `json.dumps` of its attributes, one Core insert a batch.

Into the same table as e2edebug's, so with the same indexes. Nothing is cleaned or redacted, and no session is kept.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import trace_step

TITLE = "SQLAlchemy Core exporter"
WHO = "peer"


class CoreExporter(SpanExporter):
    def __init__(self, store_url: str) -> None:
        self._engine = create_store_engine(store_url)
        migrate(self._engine)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._engine.begin() as connection:
            connection.execute(trace_step.insert(), [_row(span) for span in spans])
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._engine.dispose()


def provider(store_url: str, sink_url: str) -> TracerProvider:
    made = TracerProvider(resource=Resource.create({"service.name": "benchmark"}), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(CoreExporter(store_url)))
    return made


def _row(span: ReadableSpan) -> dict[str, Any]:
    attributes = dict(span.attributes or {})
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    trace_id = format_trace_id(span.context.trace_id)
    return {
        "correlation_id": trace_id,
        "trace_id": trace_id,
        "span_id": format_span_id(span.context.span_id),
        "parent_span_id": format_span_id(span.parent.span_id) if span.parent is not None else None,
        "layer": "database" if "db.system" in attributes or "db.system.name" in attributes else "api",
        "component": str(attributes.get("http.route", "")),
        "operation": span.name,
        "kind": span.kind.name.lower(),
        "service": span.resource.attributes["service.name"],
        "start_time": datetime.fromtimestamp(span.start_time / 1e9, UTC),
        "end_time": datetime.fromtimestamp(span.end_time / 1e9, UTC),
        "duration_ms": (span.end_time - span.start_time) / 1e6,
        "status": "failed" if span.status.status_code is StatusCode.ERROR else "completed",
        "status_message": span.status.description or "",
        "statement": attributes.get("db.statement") or attributes.get("db.query.text"),
        "metadata": json.dumps({**attributes, "events": [dict(event.attributes or {}) for event in span.events]}),
    }
