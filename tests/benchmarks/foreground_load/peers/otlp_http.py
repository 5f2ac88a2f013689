"""OpenTelemetry's batch processor and OTLP/HTTP exporter, to a sink on this machine that takes everything."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

TITLE = "OTLP/HTTP exporter"
WHO = "peer"


def provider(store_url: str, sink_url: str) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{sink_url}/v1/traces")))
    return made
