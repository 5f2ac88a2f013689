"""A tracer provider whose ended spans a test can read, behind the tracers that the public API holds."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import e2edebug.decorators
import e2edebug.workflow_tracer


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("e2edebug")
    for module in (e2edebug.decorators, e2edebug.workflow_tracer):
        monkeypatch.setattr(module, "_tracer", tracer)
    yield exporter
    assert not trace.get_current_span().get_span_context().is_valid, "a test left a span current"
    provider.shutdown()
