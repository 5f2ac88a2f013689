"""OpenTelemetry's instrumentations with its OTLP/HTTP exporter, to a sink on this machine."""

import os
from typing import Any

from benchmarks.request_overhead.cases import otel_noop

TITLE = "The same, OTLP/HTTP exporter to a sink"
WHO = "peer"
EVERY = 3


def configure(settings: dict[str, Any]) -> None:
    """The instrumentor adds its own middleware."""


def begin() -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    otel_noop.begin_with(OTLPSpanExporter(endpoint=os.environ["BENCHMARK_SINK_URL"] + "/v1/traces"))


flush = otel_noop.flush
