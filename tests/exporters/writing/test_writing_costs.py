"""What a span costs the thread that writes, as counts of calls: they hold what tuning has won, and no machine is too slow for them."""

import gc
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, set_span_in_context
from support.spans import RESOURCE, START_UNIX_NS, EndedSpans

from e2edebug.policy.config import load_config
from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug_exporters import direct_export
from e2edebug_exporters.bounded_queue import BoundedQueue
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_exporter import SQLSpanExporter

SPANS_OF_REQUEST = 6


def requests(count: int) -> list[ReadableSpan]:
    """Return the spans of so many requests with five queries each, as our tracer makes them."""
    ended = EndedSpans()
    provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
    provider.add_span_processor(ended)
    tracer = provider.get_tracer("test")
    for number in range(count):
        start = START_UNIX_NS + number * 10_000_000
        path = f"/products/{number % 20}/"
        request = tracer.start_span(
            "GET products/<int:pk>/",
            None,
            SpanKind.SERVER,
            {
                "http.request.method": "GET",
                "url.path": path,
                "http.response.status_code": 200,
                "http.route": "products/<int:pk>/",
                "e2edebug.component": "product",
                "e2edebug.operation": "get",
            },
            start_time=start,
        )
        context = set_span_in_context(request)
        for query in range(SPANS_OF_REQUEST - 1):
            attributes = {
                "db.system.name": "mysql",
                "e2edebug.layer": "database",
                "db.namespace": "shop",
                "server.port": 3306,
                "db.query.text": f"SELECT name FROM shop_product WHERE column{query} = ?",
                "db.operation.name": "SELECT",
                "e2edebug.component": "shop_product",
                "e2edebug.operation": "SELECT",
                "e2edebug.db.digest": f"{query:032x}",
                "code.file.path": "shop/views.py",
                "code.line.number": 42 + query,
                "db.response.returned_rows": (number + query) % 30,
            }
            began = start + query * 1_000_000
            span = tracer.start_span("SELECT shop_product", context, SpanKind.CLIENT, attributes, start_time=began)
            span.end(began + 400_000 + number)
        request.end(start + 6_000_000)
    return ended.spans


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many calls of functions in Python and in C *work* makes in this thread."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.collect()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def cost_of_export(engine: sa.Engine) -> Callable[[Sequence[ReadableSpan]], int]:
    """Return what counts the calls of one export by an exporter that knows such spans."""
    exporter = SQLSpanExporter(engine.url, config=load_config({}, environ={}))
    spans = requests(200)
    assert exporter.export(spans).name == "SUCCESS"
    return lambda spans: calls_of(lambda: exporter.export(spans))


@pytest.fixture(autouse=True)
def _work_in_the_calling_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where calls are counted, and without rests, whose number hangs on the machine."""
    monkeypatch.setattr(direct_export, "start_thread", lambda work: work())
    monkeypatch.setattr(direct_export, "take_turns", lambda _: None)


def test_a_span_takes_few_calls_on_its_way_from_the_tracer_to_the_stored_row(engine: sa.Engine) -> None:
    """A batch twice as long tells what a span takes apart from what a batch does."""
    cost = cost_of_export(engine)

    once, twice = cost(requests(60)), cost(requests(120))

    # 43 on a server, whose statements are written out here, 30 on SQLite.
    assert (twice - once) / (60 * SPANS_OF_REQUEST) <= 47


def test_a_batch_takes_few_calls_beside_those_of_its_spans(engine: sa.Engine) -> None:
    cost = cost_of_export(engine)

    once, twice = cost(requests(60)), cost(requests(120))

    assert once - (twice - once) <= 750  # 630 on a server


def test_a_span_takes_few_calls_on_its_way_out_of_the_queue() -> None:
    queue = BoundedQueue(max_items=2000, max_bytes=10**9, ledger=Ledger())
    for span in requests(200):
        queue.put_span(span)

    calls = calls_of(lambda: queue.take(1200, 10**9))

    assert calls / 1200 <= 4.5


def test_a_span_that_waits_is_one_object_for_the_garbage_collector() -> None:
    """With each batch that is visited while it waits, its objects age; enough old ones make a collection of everything."""
    provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
    queue = BoundedQueue(max_items=2000, max_bytes=10**9, ledger=Ledger())
    processor = _IntoQueue(queue)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    request = tracer.start_span("GET products/", Context(), SpanKind.SERVER)
    context = set_span_in_context(request)
    prepared = PreparedAttributes({"db.system": "mysql"})
    gc.collect()
    before = len(gc.get_objects())

    for number in range(500):
        tracer.start_plain_span("SELECT", context, SpanKind.CLIENT, {"db.system": "mysql", "n": number}).end()  # type: ignore[attr-defined]
        tracer.start_span("price", context, attributes={"product": number}).end()
        query = tracer.start_plain_span("SELECT", context, SpanKind.CLIENT, prepared)  # type: ignore[attr-defined]
        query.set_attribute("n", number)
        query.end()

    gc.collect()
    assert len(queue) == 1500
    assert len(gc.get_objects()) - before <= 1500 + 20


class _IntoQueue(SpanProcessor):
    def __init__(self, queue: BoundedQueue) -> None:
        self._queue = queue

    def on_end(self, span: ReadableSpan) -> None:
        self._queue.put_span(span)
