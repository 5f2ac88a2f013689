"""e2edebug: cleaned, redacted and stored, with sessions, summaries and error groups in the same transaction."""

from opentelemetry.sdk.trace.export import SpanExporter

from e2edebug.policy.config import load_config
from e2edebug_exporters.span_exporter import SQLSpanExporter

NAME = "e2edebug, complete"
WHO = "ours"


def exporter(store_url: str, sink_url: str) -> SpanExporter:
    return SQLSpanExporter(store_url, config=load_config({}, environ={}))
