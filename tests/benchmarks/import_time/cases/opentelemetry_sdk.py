"""OpenTelemetry's SDK with its OTLP exporter, as its documentation sets it up, and its instrumentation of DB-API drivers."""

TITLE = "OpenTelemetry's SDK, OTLP exporter, DB-API instrumentation"
WHO = "peer"
WHERE = ("alone",)


def switch_on() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation import dbapi  # noqa: F401 - what is measured
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint="http://127.0.0.1:9/v1/traces")))
    trace.set_tracer_provider(provider)
