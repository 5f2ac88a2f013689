"""A Django in this process whose requests are traced into memory."""

from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import AsyncClient, Client, override_settings
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.django_requests.instrumentor import DjangoRequestInstrumentor


@pytest.fixture(autouse=True)
def django_settings() -> Iterator[None]:
    """A bare site: no database, no apps of others, whatever another test module configured before."""
    if not settings.configured:
        settings.configure(SECRET_KEY="x" * 50, DATABASES={}, USE_TZ=True)
        django.setup()
    with override_settings(
        ALLOWED_HOSTS=["testserver", "shop.example"],
        DEBUG=False,
        MIDDLEWARE=[],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {}}],
    ):
        yield


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Where the spans of `provider` end up."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    """A tracer provider of this test alone."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def instrument(provider: TracerProvider) -> Iterator[Any]:
    """Switches the instrumentor on with the given options; it is off again after the test."""
    instrumentor = DjangoRequestInstrumentor()
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator(), CorrelationIdPropagator()])
    )

    def switch_on(**options: Any) -> DjangoRequestInstrumentor:
        instrumentor.instrument(tracer_provider=provider, **options)
        return instrumentor

    yield switch_on
    propagate.set_global_textmap(before)
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.fixture
def traced(instrument: Any) -> None:
    """The instrumentor with its defaults."""
    instrument()


@pytest.fixture
def client() -> Client:
    """Django's synchronous test client; errors become responses, as under a server."""
    return Client(raise_request_exception=False)


@pytest.fixture
def async_client() -> AsyncClient:
    """Django's asynchronous test client; errors become responses, as under a server."""
    return AsyncClient(raise_request_exception=False)


@pytest.fixture(autouse=True)
def no_context_trouble(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may end with `Failed to detach context` in the log, or with a context left attached."""
    from opentelemetry import context as otel_context

    before = otel_context.get_current()
    yield
    assert "Failed to detach context" not in caplog.text
    assert otel_context.get_current() == before
