"""OpenTelemetry's OTLP/HTTP exporter with protobuf, to a sink on this machine that takes everything."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter

NAME = "OTLP/HTTP exporter"
WHO = "peer"


def exporter(store_url: str, sink_url: str) -> SpanExporter:
    return OTLPSpanExporter(endpoint=f"{sink_url}/v1/traces")
