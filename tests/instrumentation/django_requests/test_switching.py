"""Switching the instrumentor on and off, and next to OpenTelemetry's own."""

import asyncio
import logging
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .asgi_driver import Exchange

_STOCK = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{getattr(request, 'correlation_id', None)} {is_instrumentation_enabled()}")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(str(is_instrumentation_enabled()) for _ in range(2))


class Urls:
    urlpatterns = [path("hello/", hello), path("streamed/", streamed)]


@pytest.fixture(autouse=True)
def urls() -> Any:
    with override_settings(ROOT_URLCONF=Urls):
        yield


def call(handler: WSGIHandler, url: str = "/hello/") -> bytes:
    """The body that a WSGI handler answers with."""
    return b"".join(handler(RequestFactory().get(url).environ, lambda status, headers: None))


def test_switched_off_it_leaves_no_trace_in_settings_or_handlers(
    instrument: Any, exporter: InMemorySpanExporter
) -> None:
    before = list(settings.MIDDLEWARE)
    instrumentor = instrument()
    handler = WSGIHandler()
    call(handler)

    instrumentor.uninstrument()

    assert call(handler) == b"None True"
    assert call(WSGIHandler()) == b"None True"
    assert len(exporter.get_finished_spans()) == 1
    assert before == settings.MIDDLEWARE


def test_switched_on_again_it_traces_again(instrument: Any, exporter: InMemorySpanExporter) -> None:
    instrument().uninstrument()
    instrument()

    call(WSGIHandler())

    assert len(exporter.get_finished_spans()) == 1


def test_switching_on_twice_is_switching_on_once(
    instrument: Any, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    instrument()
    with caplog.at_level(logging.CRITICAL, "opentelemetry"):
        instrument()

    call(WSGIHandler())
    call(WSGIHandler())

    assert len(exporter.get_finished_spans()) == 2


@pytest.mark.parametrize("is_async", [False, True])
def test_a_handler_that_was_loaded_before_is_traced_from_then_on(
    is_async: bool, instrument: Any, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    handler = ASGIHandler() if is_async else WSGIHandler()
    caplog.set_level(logging.INFO, "e2edebug")

    instrument()
    if isinstance(handler, ASGIHandler):
        exchange = Exchange("/hello/")
        asyncio.run(exchange.run_on(handler))
        assert exchange.status == 200
    else:
        call(handler)

    assert [span.name for span in exporter.get_finished_spans()] == ["GET hello/"]
    assert caplog.text.count("after Django had loaded its middleware") == 1


def test_where_the_stock_middleware_stands_ours_takes_its_place(
    instrument: Any, provider: TracerProvider, exporter: InMemorySpanExporter
) -> None:
    """opentelemetry-instrument puts it there; both would be two server spans for each request."""
    hooked: list[str] = []

    def request_hook(span: trace.Span, request: HttpRequest) -> None:
        hooked.append(request.path)

    stock = DjangoInstrumentor()
    stock.instrument(tracer_provider=provider, request_hook=request_hook)
    assert _STOCK in settings.MIDDLEWARE
    try:
        instrument()
        call(WSGIHandler())
    finally:
        stock.uninstrument()

    assert [span.name for span in exporter.get_finished_spans()] == ["GET hello/"]
    assert hooked == ["/hello/"]


def test_a_hook_that_raises_costs_the_request_nothing(
    instrument: Any, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")

    def request_hook(span: trace.Span, request: HttpRequest) -> None:
        raise ValueError("hook")

    stock = DjangoInstrumentor()
    stock.instrument(tracer_provider=provider, request_hook=request_hook)
    try:
        instrument()
        body = call(WSGIHandler())
    finally:
        stock.uninstrument()

    assert body.endswith(b"True")


@pytest.mark.parametrize("patterns", [("hello", "health"), "hello,health"])
def test_an_excluded_request_leaves_no_span_and_silences_what_happens_in_it(
    patterns: Any, instrument: Any, exporter: InMemorySpanExporter
) -> None:
    instrument(excluded_urls=patterns)

    body = call(WSGIHandler())

    assert body.endswith(b" False")
    assert not body.startswith(b"None")
    assert is_instrumentation_enabled()
    assert exporter.get_finished_spans() == ()


def test_a_refused_host_is_served_as_ever_where_something_is_excluded(
    instrument: Any, exporter: InMemorySpanExporter
) -> None:
    """Patterns are matched against the URL, and building it is where Django refuses a host."""
    instrument(excluded_urls="nothing")
    environ = RequestFactory().get("/hello/", headers={"host": "evil.example"}).environ

    body = b"".join(WSGIHandler()(environ, lambda status, headers: None))

    assert body.endswith(b" True")
    assert len(exporter.get_finished_spans()) == 1


def test_the_body_of_an_excluded_request_is_silent_too(instrument: Any, exporter: InMemorySpanExporter) -> None:
    instrument(excluded_urls="streamed")

    assert call(WSGIHandler(), "/streamed/") == b"FalseFalse"
    assert exporter.get_finished_spans() == ()


def test_a_fault_of_ours_is_told_once_and_the_request_is_served(
    instrument: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")
    instrument()
    handler = WSGIHandler()
    monkeypatch.setattr("e2edebug_instrumentation.django_requests.request_span.parent_of", None)

    bodies = [call(handler) for _ in range(3)]

    assert all(len(body) == len(b"00000000-0000-0000-0000-000000000000 True") for body in bodies)
    assert caplog.text.count("failed to start the span of a request") == 1


def test_the_settings_of_a_configuration_object_are_used_and_arguments_come_first(instrument: Any) -> None:
    from e2edebug_instrumentation.django_requests.options import RequestOptions

    class Config:
        excluded_urls = ("a", "b")
        response_header = False
        trust_incoming_trace = False

    options = RequestOptions.from_arguments(Config(), {"response_header": True, "tracer_provider": None})

    assert options == RequestOptions(excluded_urls=("a", "b"), response_header=True, trust_incoming_trace=False)


def test_without_an_sdk_requests_still_have_an_id(instrument: Any, client: Client) -> None:
    from e2edebug_instrumentation.django_requests.instrumentor import DjangoRequestInstrumentor

    DjangoRequestInstrumentor().instrument(tracer_provider=trace.NoOpTracerProvider())

    one, other = (client.get("/hello/")["X-Correlation-ID"] for _ in range(2))

    assert len(one) == 36
    assert one != other
