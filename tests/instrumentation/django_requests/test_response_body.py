"""Streamed bodies, and clients that do not wait for them."""

import asyncio
import io
import wsgiref.util
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from .asgi_driver import Exchange

_waiting: list[asyncio.Event] = []
_never = "never set"


def _tracer(request: HttpRequest) -> Any:
    return request.META["tracer"] if "tracer" in request.META else request.scope["tracer"]


def export(request: HttpRequest) -> StreamingHttpResponse:
    tracer = _tracer(request)

    def rows() -> Iterator[str]:
        with tracer.start_as_current_span("query"):
            yield "a"
            with tracer.start_as_current_span("nested"):
                yield "b"

    return StreamingHttpResponse(rows())


def broken_export(request: HttpRequest) -> StreamingHttpResponse:
    def rows() -> Iterator[str]:
        yield "a"
        raise ValueError("row 2")

    return StreamingHttpResponse(rows())


async def async_export(request: HttpRequest) -> StreamingHttpResponse:
    tracer = _tracer(request)

    async def rows() -> AsyncIterator[str]:
        with tracer.start_as_current_span("query"):
            yield "a"
            await asyncio.sleep(0)
            with tracer.start_as_current_span("nested"):
                yield "b"

    return StreamingHttpResponse(rows())


async def endless(request: HttpRequest) -> StreamingHttpResponse:
    async def ticks() -> AsyncIterator[str]:
        yield "tick"
        await asyncio.Event().wait()

    return StreamingHttpResponse(ticks(), content_type="text/event-stream")


async def waits(request: HttpRequest) -> HttpResponse:
    _waiting[-1].set()
    await asyncio.Event().wait()
    return HttpResponse(_never)


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"file"))


class Urls:
    urlpatterns = [
        path("export/", export),
        path("broken/", broken_export),
        path("async-export/", async_export),
        path("endless/", endless),
        path("waits/", waits),
        path("download/", download),
    ]


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=Urls):
        yield


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The finished spans by name."""
    return {span.name: span for span in exporter.get_finished_spans()}


def parents(exporter: InMemorySpanExporter) -> dict[str, str | None]:
    """Name of each span -> name of its parent."""
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent.span_id) if span.parent else None for span in spans}


@pytest.mark.usefixtures("traced")
class TestStreaming:
    def test_spans_of_a_streamed_body_stay_in_the_trace(
        self, client: Client, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        response = client.get("/export/", tracer=provider.get_tracer("view"))
        body = response.getvalue()

        assert body == b"ab"
        assert parents(exporter) == {
            "GET export/": None,
            "stream": "GET export/",
            "query": "stream",
            "nested": "query",
        }
        stream = dict(by_name(exporter)["stream"].attributes or {})
        assert (stream["e2edebug.stream.parts"], stream["http.response.body.size"]) == (2, 2)
        assert "e2edebug.request.interrupted" not in stream

    def test_spans_of_an_async_body_stay_in_the_trace(
        self, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        async def exchange() -> bytes:
            one = Exchange("/async-export/")
            one.scope["tracer"] = provider.get_tracer("view")
            await one.run()
            return one.body

        assert asyncio.run(exchange()) == b"ab"
        assert parents(exporter) == {
            "GET async-export/": None,
            "stream": "GET async-export/",
            "query": "stream",
            "nested": "query",
        }

    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    def test_a_synchronous_body_under_asgi_stays_in_the_trace(
        self, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        async def exchange() -> bytes:
            one = Exchange("/export/")
            one.scope["tracer"] = provider.get_tracer("view")
            await one.run()
            return one.body

        assert asyncio.run(exchange()) == b"ab"
        assert parents(exporter)["query"] == "stream"

    def test_a_body_that_fails_is_a_failed_step(self, client: Client, exporter: InMemorySpanExporter) -> None:
        response = client.get("/broken/")
        with pytest.raises(ValueError, match="row 2"):
            response.getvalue()

        stream = by_name(exporter)["stream"]
        assert (stream.status.status_code, stream.status.description) == (StatusCode.ERROR, "ValueError: row 2")
        assert [event.name for event in stream.events] == ["exception"]

    def test_a_body_that_nobody_reads_leaves_no_span(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.get("/broken/").close()

        assert list(by_name(exporter)) == ["GET broken/"]

    def test_a_body_closed_early_says_so(
        self, client: Client, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        response = client.get("/export/", tracer=provider.get_tracer("view"))
        next(iter(response.streaming_content))
        response.close()

        stream = dict(by_name(exporter)["stream"].attributes or {})
        assert (stream["e2edebug.request.interrupted"], stream["e2edebug.stream.parts"]) == ("closed", 1)

    def test_a_file_can_still_be_sent_by_the_server_itself(self) -> None:
        environ = RequestFactory().get("/download/").environ
        environ["wsgi.file_wrapper"] = wsgiref.util.FileWrapper

        response = WSGIHandler()(environ, lambda status, headers: None)

        assert isinstance(response, wsgiref.util.FileWrapper)
        response.close()


@pytest.mark.usefixtures("traced")
class TestClientsThatLeave:
    def test_a_client_that_leaves_before_the_response_ends_the_span(self, exporter: InMemorySpanExporter) -> None:
        async def exchange() -> Exchange:
            one = Exchange("/waits/")
            _waiting.append(asyncio.Event())
            running = asyncio.create_task(one.run())
            async with asyncio.timeout(10):
                await _waiting[-1].wait()
            one.client_is_gone.set()
            await running
            return one

        one = asyncio.run(exchange())

        (span,) = exporter.get_finished_spans()
        attributes = dict(span.attributes or {})
        assert one.sent == []
        assert (span.name, span.status.status_code) == ("GET waits/", StatusCode.UNSET)
        assert attributes["e2edebug.request.interrupted"] == "CancelledError"
        assert attributes["e2edebug.component"] == "waits"

    def test_a_client_that_leaves_an_event_stream_ends_its_span(self, exporter: InMemorySpanExporter) -> None:
        async def exchange() -> None:
            one = Exchange("/endless/")
            running = asyncio.create_task(one.run())
            async with asyncio.timeout(10):
                await one.got_body.wait()
            one.client_is_gone.set()
            await running

        asyncio.run(exchange())

        spans = by_name(exporter)
        assert (spans["GET endless/"].attributes or {})["http.status_code"] == 200
        assert (spans["stream"].attributes or {})["e2edebug.request.interrupted"] == "CancelledError"
        assert spans["stream"].status.status_code is StatusCode.UNSET

    def test_a_cancelled_request_leaves_nothing_attached(self, exporter: InMemorySpanExporter) -> None:
        async def exchange() -> Any:
            _waiting.append(asyncio.Event())
            running = asyncio.create_task(AsyncClient().get("/waits/"))
            async with asyncio.timeout(10):
                await _waiting[-1].wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return trace.get_current_span()

        assert asyncio.run(exchange()) is trace.INVALID_SPAN
        assert len(exporter.get_finished_spans()) == 1
