"""A request without headers for the propagators is not given to them; in doubt it is."""

from collections.abc import Iterator

import pytest
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.django_requests.incoming_headers import brings_context
from e2edebug_instrumentation.outgoing_http.guarded_propagation import GuardedPropagator
from e2edebug_instrumentation.outgoing_http.own_services import OwnServices


class Reader(TraceContextTextMapPropagator):
    """A user's own, which may read any header."""


@pytest.fixture(autouse=True)
def propagators_as_before() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


def use(*propagators: TextMapPropagator) -> None:
    propagate.set_global_textmap(CompositePropagator(list(propagators)))


@pytest.mark.parametrize("header", ["HTTP_TRACEPARENT", "HTTP_BAGGAGE", "HTTP_X_CORRELATION_ID"])
def test_a_header_that_a_propagator_reads_is_seen(header: str):
    use(TraceContextTextMapPropagator(), W3CBaggagePropagator(), CorrelationIdPropagator())

    assert brings_context({"HTTP_HOST": "shop", header: "anything"})
    assert not brings_context({"HTTP_HOST": "shop"})


def test_the_correlation_id_is_seen_though_the_propagators_do_not_know_it():
    use(TraceContextTextMapPropagator())

    assert brings_context({"HTTP_X_CORRELATION_ID": "order-1"})
    assert not brings_context({"HTTP_BAGGAGE": "a=b"})


def test_a_propagator_that_is_not_known_is_always_asked():
    use(TraceContextTextMapPropagator(), CompositePropagator([Reader()]))

    assert brings_context({"HTTP_HOST": "shop"})


def test_the_guard_of_outgoing_requests_stands_in_nobodys_way():
    inner = CompositePropagator([TraceContextTextMapPropagator()])
    propagate.set_global_textmap(GuardedPropagator(inner, OwnServices(())))

    assert brings_context({"HTTP_TRACEPARENT": "00-1-1-01"})
    assert not brings_context({"HTTP_HOST": "shop"})
