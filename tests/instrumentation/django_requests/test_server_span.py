"""What the server span of a request says."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.template import engines
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.views import View
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode


class Unprintable(Exception):
    """Its text raises."""

    def __str__(self) -> str:
        raise SystemExit("no text")


class OrderView(View):
    """Answers and fails, one by method."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return HttpResponse("ok")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        raise ValueError("no such order")


def plain(request: HttpRequest) -> HttpResponse:
    with trace.get_tracer("view", tracer_provider=None).start_as_current_span("never recorded"):
        return HttpResponse(trace.get_current_span().get_span_context().trace_id)


async def asynchronous(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(str(trace.get_current_span().get_span_context().span_id))


async def asynchronous_failure(request: HttpRequest) -> HttpResponse:
    raise KeyError("gone")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("no")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("no")


def unprintable(request: HttpRequest) -> HttpResponse:
    raise Unprintable


def template_failure(request: HttpRequest) -> HttpResponse:
    def price() -> str:
        raise ZeroDivisionError("in a template")

    return HttpResponse(engines["django"].from_string("{{ price }}").render({"price": price}))


def says_host(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.get_host())


def worker_ends(request: HttpRequest) -> HttpResponse:
    raise SystemExit(1)


class Urls:
    urlpatterns = [
        path("orders/<int:pk>/", OrderView.as_view()),
        path("plain/", plain),
        path("async/", asynchronous),
        path("async-failure/", asynchronous_failure),
        path("missing/", missing),
        path("forbidden/", forbidden),
        path("unprintable/", unprintable),
        path("template/", template_failure),
        path("host/", says_host),
        path("worker-ends/", worker_ends),
    ]


@pytest.fixture(autouse=True)
def urls() -> Any:
    with override_settings(ROOT_URLCONF=Urls):
        yield


def failing_middleware(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        raise LookupError("in a middleware")

    return middleware


class AnsweringMiddleware:
    """Turns each exception of a view into a response of its own."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse("sorry", status=int(request.headers.get("status", 500)))


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    """The one span there is."""
    (span,) = exporter.get_finished_spans()
    return span


def exceptions(span: ReadableSpan) -> list[str]:
    """The types of the exceptions on a span."""
    return [str((event.attributes or {})["exception.type"]) for event in span.events if event.name == "exception"]


@pytest.mark.usefixtures("traced")
class TestWhatItSays:
    def test_a_request_is_one_server_span_named_by_its_route(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        client.get("/orders/7/")

        span = only(exporter)
        attributes = dict(span.attributes or {})
        assert (span.name, span.kind, span.parent) == ("GET orders/<int:pk>/", SpanKind.SERVER, None)
        assert span.status.status_code is StatusCode.UNSET
        assert attributes["http.route"] == "orders/<int:pk>/"
        assert attributes["url.path"] == "/orders/7/"
        assert attributes["http.status_code"] == 200
        assert attributes["http.method"] == "GET"
        assert (attributes["e2edebug.component"], attributes["e2edebug.operation"]) == ("OrderView", "get")

    def test_the_path_is_there_where_nothing_resolves(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.get("/nowhere/")

        span = only(exporter)
        assert (span.name, (span.attributes or {})["url.path"]) == ("GET", "/nowhere/")
        assert "e2edebug.component" not in (span.attributes or {})

    @pytest.mark.parametrize("make_client", [Client, AsyncClient])
    def test_query_strings_lose_their_values(self, make_client: Any, exporter: InMemorySpanExporter) -> None:
        client = make_client(raise_request_exception=False)
        response = client.get("/plain/?token=hunter2&a%20b=hunter2&hunter2")
        if asyncio.iscoroutine(response):
            asyncio.run(response)

        attributes = dict(only(exporter).attributes or {})
        assert "hunter2" not in str(attributes)
        assert attributes["url.query"] == "token=?&a b=?&?"

    def test_the_address_of_the_client_stays_out(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.get("/plain/", REMOTE_ADDR="203.0.113.9")

        assert "203.0.113.9" not in str(dict(only(exporter).attributes or {}))

    def test_a_refused_host_is_a_400_with_a_span(self, client: Client, exporter: InMemorySpanExporter) -> None:
        response = client.get("/host/", headers={"host": "evil.example"})

        span = only(exporter)
        assert response.status_code == (span.attributes or {})["http.status_code"] == 400
        assert (span.status.status_code, exceptions(span)) == (StatusCode.UNSET, [])

    def test_a_host_that_nobody_asks_about_is_refused_by_nobody(self, client: Client) -> None:
        """The stock middleware builds the absolute URL, and so refuses for it."""
        assert client.get("/plain/", headers={"host": "evil.example"}).status_code == 200

    def test_an_async_view_runs_within_the_span(
        self, async_client: AsyncClient, exporter: InMemorySpanExporter
    ) -> None:
        response = asyncio.run(async_client.get("/async/"))

        assert response.content.decode() == str(only(exporter).context.span_id)

    def test_an_async_view_under_a_synchronous_handler_runs_within_the_span(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        assert client.get("/async/").content.decode() == str(only(exporter).context.span_id)

    def test_a_synchronous_view_under_an_asynchronous_handler_is_traced(
        self, async_client: AsyncClient, exporter: InMemorySpanExporter
    ) -> None:
        asyncio.run(async_client.get("/orders/1/"))

        assert only(exporter).name == "GET orders/<int:pk>/"

    def test_a_synchronous_middleware_inside_an_asynchronous_handler_changes_nothing(
        self, async_client: AsyncClient, exporter: InMemorySpanExporter
    ) -> None:
        with override_settings(MIDDLEWARE=[f"{__name__}.AnsweringMiddleware"]):
            response = asyncio.run(async_client.get("/async/"))

        assert response.content.decode() == str(only(exporter).context.span_id)


@pytest.mark.usefixtures("traced")
class TestErrors:
    def test_an_exception_in_a_view_is_recorded_once(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.post("/orders/7/")

        span = only(exporter)
        assert exceptions(span) == ["ValueError"]
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: no such order")
        assert (span.attributes or {})["http.status_code"] == 500

    def test_an_exception_in_an_async_view_is_recorded_once(
        self, async_client: AsyncClient, exporter: InMemorySpanExporter
    ) -> None:
        asyncio.run(async_client.get("/async-failure/"))

        span = only(exporter)
        assert (exceptions(span), span.status.description) == (["KeyError"], "KeyError: 'gone'")

    def test_an_exception_in_a_middleware_is_recorded(self, client: Client, exporter: InMemorySpanExporter) -> None:
        with override_settings(MIDDLEWARE=[f"{__name__}.failing_middleware"]):
            client.get("/plain/")

        span = only(exporter)
        assert (exceptions(span), span.status.status_code) == (["LookupError"], StatusCode.ERROR)

    def test_an_exception_in_a_template_is_recorded(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.get("/template/")

        assert exceptions(only(exporter)) == ["ZeroDivisionError"]

    @pytest.mark.parametrize(("url", "status"), [("/missing/", 404), ("/forbidden/", 403)])
    def test_a_refusal_is_not_an_error(
        self, url: str, status: int, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        client.get(url)

        span = only(exporter)
        assert (span.attributes or {})["http.status_code"] == status
        assert (span.status.status_code, exceptions(span)) == (StatusCode.UNSET, [])

    def test_an_exception_that_a_middleware_answers_with_500_is_recorded(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        with override_settings(MIDDLEWARE=[f"{__name__}.AnsweringMiddleware"]):
            client.post("/orders/7/")

        span = only(exporter)
        assert (exceptions(span), span.status.description) == (["ValueError"], "ValueError: no such order")

    def test_an_exception_that_a_middleware_answers_with_409_is_an_answer(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        with override_settings(MIDDLEWARE=[f"{__name__}.AnsweringMiddleware"]):
            client.post("/orders/7/", headers={"status": "409"})

        span = only(exporter)
        assert (exceptions(span), span.status.status_code) == ([], StatusCode.UNSET)

    def test_an_exception_without_a_text_still_makes_its_500(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        response = client.get("/unprintable/")

        span = only(exporter)
        (event,) = span.events
        assert response.status_code == 500
        assert "__str__ raises" in str((event.attributes or {})["exception.message"])
        assert span.status.description == "Unprintable"

    def test_a_worker_that_is_ended_in_a_view_says_where_it_was(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        with pytest.raises(SystemExit):
            client.get("/worker-ends/")

        span = only(exporter)
        assert (span.attributes or {})["e2edebug.request.interrupted"] == "SystemExit"
        assert "worker_ends" in str((span.events[0].attributes or {})["exception.stacktrace"])
        assert span.status.status_code is StatusCode.ERROR


@pytest.mark.usefixtures("traced")
class TestWhereItBelongs:
    def test_a_leaked_span_does_not_adopt_the_next_request(
        self, client: Client, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        leaked = provider.get_tracer("test").start_span("leaked", kind=SpanKind.SERVER)
        token = otel_context.attach(trace.set_span_in_context(leaked))

        client.get("/plain/")

        assert otel_context.get_current() is not None
        assert trace.get_current_span() is leaked
        otel_context.detach(token)
        span = only(exporter)
        assert (span.parent, span.kind) == (None, SpanKind.SERVER)
        assert span.context.trace_id != leaked.get_span_context().trace_id

    def test_the_server_span_of_this_very_request_is_its_parent(
        self, client: Client, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        """OpenTelemetry's WSGI or ASGI middleware may stand around Django."""
        enclosing = provider.get_tracer("test").start_span(
            "GET", kind=SpanKind.SERVER, attributes={"http.method": "GET", "http.target": "/plain/?a=1"}
        )
        with trace.use_span(enclosing):
            client.get("/plain/?a=1")

        span = only(exporter)
        assert span.parent is not None
        assert (span.parent.span_id, span.kind) == (enclosing.get_span_context().span_id, SpanKind.INTERNAL)

    def test_an_incoming_trace_is_continued(self, client: Client, exporter: InMemorySpanExporter) -> None:
        client.get("/plain/", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})

        span = only(exporter)
        assert span.parent is not None
        assert span.parent.is_remote
        assert (span.context.trace_id, span.parent.span_id) == (int("a" * 32, 16), int("b" * 16, 16))

    def test_requests_that_run_at_the_same_time_do_not_mix(self, exporter: InMemorySpanExporter) -> None:
        async def all_at_once() -> list[str]:
            responses = await asyncio.gather(
                *(AsyncClient().get("/async/", headers={"X-Correlation-ID": f"order-{n}"}) for n in range(20))
            )
            return [response.content.decode() for response in responses]

        spans_seen_by_views = asyncio.run(all_at_once())

        spans = {str((span.attributes or {})["correlation.id"]): span for span in exporter.get_finished_spans()}
        assert spans_seen_by_views == [str(spans[f"order-{n}"].context.span_id) for n in range(20)]

    def test_a_request_is_freed_as_soon_as_it_is_answered(self) -> None:
        """A reference cycle of ours would keep each request, uploads included, until the collector runs."""
        seen: list[weakref.ref[WSGIRequest]] = []

        class Handler(WSGIHandler):
            def get_response(self, request: WSGIRequest) -> Any:
                seen.append(weakref.ref(request))
                return super().get_response(request)

        handler = Handler()
        gc.disable()
        try:
            response = handler(RequestFactory().get("/plain/").environ, lambda status, headers: None)
            response.close()
            del response
            assert seen[0]() is None
        finally:
            gc.enable()


class TestTrust:
    def test_a_caller_that_is_not_trusted_is_linked_and_not_followed(
        self, instrument: Any, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        instrument(trust_incoming_trace=False)

        client.get("/plain/", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"})

        span = only(exporter)
        assert span.parent is None
        assert span.context.trace_id != int("a" * 32, 16)
        assert [link.context.trace_id for link in span.links] == [int("a" * 32, 16)]

    def test_the_address_of_the_client_is_captured_on_demand(
        self, instrument: Any, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        instrument(capture_client_address=True)

        client.get("/plain/", REMOTE_ADDR="203.0.113.9")

        assert (only(exporter).attributes or {})["net.peer.ip"] == "203.0.113.9"
