"""Prints what mapping a 12-attribute database span costs: `python tests/exporters/mapping/measure_span.py`.

Not a test: the figure depends on the machine. Aim 6 us, acceptable 10 us on one quiet core (CPU time, best of five).
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind, set_span_in_context

from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch

BATCH = 512
STATEMENT = "SELECT id, name, price FROM shop_product WHERE category_id = ? AND is_active = ? ORDER BY name LIMIT ?"


def spans_of_the_sdk(count: int) -> list[ReadableSpan]:
    """Return ended spans as a processor gets them, with 12 attributes of which some differ from span to span."""
    tracer = TracerProvider(resource=Resource({"service.name": "shop"})).get_tracer("e2edebug.database")
    spans = []
    request = Context()
    for number in range(count):
        if number % 10 == 0:
            request = set_span_in_context(tracer.start_span("GET shop/", kind=SpanKind.SERVER, context=Context()))
        span = tracer.start_span(
            "SELECT",
            request,
            kind=SpanKind.CLIENT,
            attributes={
                "db.system.name": "mysql",
                "db.namespace": "shop",
                "db.query.text": STATEMENT,
                "db.operation.name": "SELECT",
                "db.collection.name": "shop_product",
                "server.address": "127.0.0.1",
                "server.port": 3306,
                "db.response.returned_rows": number % 50,
                "correlation.id": f"checkout-{number // 10}",
                "code.file.path": "shop/catalogue/views.py",
                "code.line.number": 42 + number % 7,
                "e2edebug.db.digest": "0123456789abcdef0123456789abcdef",
            },
        )
        span.end()
        spans.append(span._readable_span())  # what on_end() receives
    return spans


def microseconds_per_span(rounds: int = 5) -> float:
    """Return CPU microseconds of one span, best of *rounds*."""
    spans = spans_of_the_sdk(BATCH)
    mapper = RowMapper(redactor=Redactor(), value_max_bytes=65536, workflow_rules=())
    mapper.add_spans(RowBatch(), spans)
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(10):
            mapper.add_spans(RowBatch(), spans)
        best = min(best, (time.process_time() - started) / (10 * BATCH))
    return best * 1e6


def microseconds_of_json_dumps(rounds: int = 5) -> float:
    """Return CPU microseconds of `json.dumps` of one span's attributes alone, to compare machines by."""
    attributes = [dict(span.attributes or {}) for span in spans_of_the_sdk(BATCH)]
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(10):
            for one in attributes:
                json.dumps(one)
        best = min(best, (time.process_time() - started) / (10 * BATCH))
    return best * 1e6


if __name__ == "__main__":
    print(f"json.dumps of the attributes alone: {microseconds_of_json_dumps():.2f} us per span")
    print(f"{microseconds_per_span():.2f} us per span")
