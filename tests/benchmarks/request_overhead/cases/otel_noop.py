"""OpenTelemetry's Django and PyMySQL instrumentations, with an exporter that throws everything away."""

from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.pymysql import PyMySQLInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TITLE = "OpenTelemetry's Django and PyMySQL instrumentations, exporter that does nothing"
WHO = "peer"

provider = TracerProvider()


class NoExporter(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def configure(settings: dict[str, Any]) -> None:
    """The instrumentor adds its own middleware."""


def exporter() -> SpanExporter:
    return NoExporter()


def begin() -> None:
    begin_with(exporter())


def begin_with(chosen: SpanExporter) -> None:
    """Trace as OpenTelemetry's own documentation shows, with *chosen* at the end."""
    provider.add_span_processor(BatchSpanProcessor(chosen))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(is_sql_commentor_enabled=False)
    PyMySQLInstrumentor().instrument()


def flush() -> None:
    provider.force_flush()
