"""Spans as plain data that one process can print and another compare."""

import json
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recording:
    """An SDK of its own, whose ended spans are kept until they are taken."""

    def __init__(self, *, is_global: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        if is_global:
            trace.set_tracer_provider(self.provider)

    def take(self) -> list[dict[str, Any]]:
        """Return the spans that ended since the last call, in the order in which they ended."""
        spans = self._exporter.get_finished_spans()
        self._exporter.clear()
        names = {span.context.span_id: span.name for span in spans if span.context is not None}
        return [
            {
                "name": span.name,
                "kind": span.kind.name,
                "parent": names.get(span.parent.span_id, "?") if span.parent is not None else None,
                "status": span.status.status_code.name,
                "status_message": span.status.description,
                "attributes": json.loads(json.dumps(dict(span.attributes or {}))),
                "events": [json.loads(json.dumps(dict(event.attributes or {}))) for event in span.events],
            }
            for span in spans
        ]


def names(spans: list[dict[str, Any]]) -> list[str]:
    """Return the spans' names."""
    return [str(span["name"]) for span in spans]
