"""OpenTelemetry's batch processor, with an exporter that does not come back."""

import threading
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TITLE = "OpenTelemetry's batch processor"
WHO = "peer"


class Stuck(SpanExporter):
    held = 0

    def export(self, spans: Any) -> SpanExportResult:
        self.held = len(spans)
        threading.Event().wait()
        return SpanExportResult.FAILURE


def begin(items: int) -> Any:
    exporter = Stuck()
    processor = BatchSpanProcessor(exporter, max_queue_size=items)
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    queue = processor._batch_processor._queue  # private, and the only place that says how many wait
    return provider.get_tracer("benchmark"), lambda: len(queue) + exporter.held
