"""What counting one request and one statement costs (durations, error rate, throughput, statements of a request).

Beside the SDK's histogram and counter, which OpenTelemetry's instrumentations record with each operation. Ours is paid
by the thread that writes, not by the request. `python tests/benchmarks/bench_interval_metrics.py`
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import SpanKind
from paired_cost import compare, own_provider, plain, say_where

from e2edebug.policy import attributes
from e2edebug_exporters.span_metrics import SpanMetrics

ATTRIBUTES = {"http.request.method": "GET", "http.route": "api/cart/", "http.response.status_code": 200}


def main() -> None:
    say_where()
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
    compare("a request with a statement", count, peer=stock, ours=ours, count=10_000)


@contextmanager
def _recording(record: list[Any], action: Any) -> Iterator[None]:
    record[0] = action
    try:
        yield
    finally:
        record[0] = None


if __name__ == "__main__":
    main()
