"""What counting one request and one statement costs (durations, error rate, throughput, statements of a request).

Beside the SDK's histogram and counter, which OpenTelemetry's instrumentations record with each operation. Ours is paid
by the thread that writes, not by the request. `make bench ARGS=interval_metrics`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.paired_cost import compare, own_provider, plain, result_of
from benchmarks.result import Case, Result
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes
from e2edebug_exporters.span_metrics import SpanMetrics

ATTRIBUTES = {"http.request.method": "GET", "http.route": "api/cart/", "http.response.status_code": 200}


EXPLANATION = """\
One request with one statement is counted for durations, error rate, throughput and statements. The peer is the SDK's
histogram and counter, which OpenTelemetry's instrumentations record with each operation, in the request; ours are
counted by the thread that writes. CPU time of one request.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    tracer = own_provider().get_tracer("benchmark")

    def span(kind: SpanKind, **found: Any) -> Any:
        made = tracer.start_span("span", kind=kind, attributes=found)
        made.end()
        return made

    request = span(SpanKind.SERVER, **{attributes.LAYER: "api", attributes.COMPONENT: "CartView"})
    statement = span(
        SpanKind.CLIENT,
        **{attributes.LAYER: "database", attributes.COMPONENT: "cart", attributes.STATEMENT_DIGEST: "0" * 32},
    )
    record: list[Any] = [None]

    def count(times: int) -> None:
        if record[0] is not None:
            for _ in range(times):
                record[0]()

    @contextmanager
    def stock() -> Iterator[None]:
        provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        meter = provider.get_meter("stock")
        duration = meter.create_histogram("http.server.request.duration", "s")
        active = meter.create_up_down_counter("http.server.active_requests")

        def request_and_statement() -> None:
            active.add(1, ATTRIBUTES)
            duration.record(0.1, {"db.system.name": "mysql", "db.operation.name": "SELECT"})
            duration.record(0.2, ATTRIBUTES)
            active.add(-1, ATTRIBUTES)

        with _recording(record, request_and_statement):
            yield
        provider.shutdown()

    @contextmanager
    def ours() -> Iterator[None]:
        metrics = SpanMetrics(now_unix_ns=time.time_ns)

        def request_and_statement() -> None:
            metrics.record(statement)
            metrics.record(request)

        with _recording(record, request_and_statement):
            yield
        metrics.collect()

    with plain():
        count(1)
    cases.append(compare("a request with a statement", count, peer=stock, ours=ours, count=10_000, quick=quick))
    return [result_of("interval_metrics", "Counting requests and statements", EXPLANATION, cases)]


@contextmanager
def _recording(record: list[Any], action: Any) -> Iterator[None]:
    record[0] = action
    try:
        yield
    finally:
        record[0] = None
