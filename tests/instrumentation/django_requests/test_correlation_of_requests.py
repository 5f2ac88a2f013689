"""The correlation id of a request: where it comes from, where it goes."""

import uuid
from typing import Any

import pytest
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from e2edebug.policy.correlation_id import from_trace_id
from e2edebug_instrumentation.correlation.current import current_correlation_id

_outgoing: dict[str, str] = {}


def tells(request: HttpRequest) -> HttpResponse:
    _outgoing.clear()
    propagate.inject(_outgoing)
    assert request.correlation_id == current_correlation_id() == baggage.get_baggage("correlation.id")
    return HttpResponse(request.correlation_id)


def has_headers(request: HttpRequest) -> HttpResponse:
    return HttpResponse(headers={"Access-Control-Expose-Headers": "X-Total", "X-Correlation-ID": "host"})


def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("no")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


class Urls:
    urlpatterns = [
        path("tells/", tells),
        path("headers/", has_headers),
        path("fails/", fails),
        path("missing/", missing),
    ]


@pytest.fixture(autouse=True)
def urls() -> Any:
    with override_settings(ROOT_URLCONF=Urls):
        yield


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    """The one span there is."""
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.usefixtures("traced")
class TestWhereItComesFrom:
    def test_a_received_id_is_taken_over(self, client: Client, exporter: InMemorySpanExporter) -> None:
        response = client.get("/tells/", headers={"X-Correlation-ID": "checkout-7"})

        assert response.content == b"checkout-7"
        assert response["X-Correlation-ID"] == "checkout-7"
        assert (only(exporter).attributes or {})["correlation.id"] == "checkout-7"
        assert _outgoing["x-correlation-id"] == "checkout-7"
        assert "correlation.id=checkout-7" in _outgoing["baggage"]

    def test_an_id_in_baggage_alone_is_taken_over(self, client: Client) -> None:
        response = client.get("/tells/", headers={"baggage": "correlation.id=checkout-8,other=1"})

        assert response["X-Correlation-ID"] == "checkout-8"

    def test_the_trace_id_stands_in_where_none_is_received(
        self, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        response = client.get("/tells/")

        span = only(exporter)
        assert response["X-Correlation-ID"] == from_trace_id(span.context.trace_id) == _outgoing["x-correlation-id"]
        assert uuid.UUID(response["X-Correlation-ID"]).int == span.context.trace_id
        assert "correlation.id" not in (span.attributes or {})

    @pytest.mark.parametrize("hostile", ["a\r\nSet-Cookie: b", "\x1b[31mred", "x" * 100_000, "naïve", "a b", ""])
    def test_a_hostile_id_is_replaced_and_never_kept(
        self, hostile: str, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        response = client.get("/tells/", HTTP_X_CORRELATION_ID=hostile)

        span = only(exporter)
        assert response["X-Correlation-ID"] == from_trace_id(span.context.trace_id)
        assert "correlation.id" not in str(span.attributes)

    def test_a_hostile_id_in_baggage_is_not_handed_on(self, client: Client) -> None:
        client.get("/tells/", headers={"baggage": "correlation.id=a%0D%0Ab"})

        assert "%0D" not in _outgoing["baggage"]

    def test_the_id_arrives_though_the_propagators_do_not_know_it(self, client: Client) -> None:
        propagate.set_global_textmap(W3CBaggagePropagator())

        assert client.get("/tells/", headers={"X-Correlation-ID": "abc"}).content == b"abc"


class TestReuse:
    def test_a_constant_id_is_replaced_once_it_named_enough_traces(
        self, instrument: Any, client: Client, exporter: InMemorySpanExporter
    ) -> None:
        instrument(correlation_id_max_traces=2)

        ids = [client.get("/tells/", headers={"X-Correlation-ID": "test"}).content.decode() for _ in range(4)]

        spans = exporter.get_finished_spans()
        assert ids == ["test", "test", *(from_trace_id(span.context.trace_id) for span in spans[2:])]
        assert [(span.attributes or {}).get("correlation.id.received") for span in spans] == [
            None,
            None,
            "test",
            "test",
        ]
        assert "correlation.id=test" not in _outgoing["baggage"]


@pytest.mark.usefixtures("traced")
class TestTheResponse:
    def test_scripts_of_other_origins_may_read_the_header(self, client: Client) -> None:
        assert client.get("/tells/")["Access-Control-Expose-Headers"] == "X-Correlation-ID"

    def test_what_the_application_said_stays(self, client: Client) -> None:
        response = client.get("/headers/")

        assert response["Access-Control-Expose-Headers"] == "X-Total, X-Correlation-ID"
        assert response["X-Correlation-ID"] == "host"

    @pytest.mark.parametrize(("url", "status"), [("/fails/", 500), ("/missing/", 404), ("/nowhere/", 404)])
    def test_error_responses_carry_it_too(self, url: str, status: int, client: Client) -> None:
        response = client.get(url, headers={"X-Correlation-ID": "checkout-9"})

        assert (response.status_code, response["X-Correlation-ID"]) == (status, "checkout-9")


class TestOptions:
    def test_the_header_can_be_switched_off(self, instrument: Any, client: Client) -> None:
        instrument(response_header=False)

        response = client.get("/tells/", headers={"X-Correlation-ID": "abc"})

        assert response.content == b"abc"
        assert "X-Correlation-ID" not in response

    def test_a_caller_that_is_not_trusted_may_still_name_its_workflow_but_adds_no_baggage(
        self, instrument: Any, client: Client
    ) -> None:
        instrument(trust_incoming_trace=False)

        response = client.get("/tells/", headers={"X-Correlation-ID": "abc", "baggage": "tenant=evil"})

        assert response["X-Correlation-ID"] == "abc"
        assert "tenant" not in _outgoing["baggage"]
