"""What mapping costs, as counts: they hold what tuning has won, and no machine is too slow for them."""

import gc
import sys
from collections import Counter
from typing import Any

from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind
from support.spans import START_UNIX_NS, make_span

from e2edebug.policy.redaction import Redactor, Treatment
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch


class CountingRedactor(Redactor):
    """Counts how often each text is cleaned."""

    def __init__(self) -> None:
        super().__init__()
        self.cleaned: Counter[str] = Counter()
        self.stacks: Counter[str] = Counter()

    def stack_trace(self, stack: str) -> str:
        self.stacks[stack] += 1
        return super().stack_trace(stack)

    def string(self, treatment: Treatment, value: str) -> str:
        self.cleaned[value] += 1
        return super().string(treatment, value)


def query(number: int, **more: Any) -> Any:
    return make_span(
        "SELECT shop_product",
        span_id=number + 1,
        parent=7,
        kind=SpanKind.CLIENT,
        attributes={
            "db.system.name": "mysql",
            "db.namespace": "shop",
            "server.address": "db.internal",
            "server.port": 3306,
            "db.query.text": "SELECT name FROM shop_product WHERE id = ?",
            "db.operation.name": "SELECT",
            "e2edebug.layer": "database",
            "e2edebug.component": "shop_product",
            "e2edebug.operation": "SELECT",
            "e2edebug.db.digest": "0123456789abcdef0123456789abcdef",
            "code.file.path": "shop/views.py",
            "code.line.number": 42,
            "db.response.returned_rows": number % 30,
            **more,
        },
    )


def test_a_text_that_comes_again_is_cleaned_once() -> None:
    redactor = CountingRedactor()
    mapper = RowMapper(redactor=redactor)

    mapper.add_spans(RowBatch(), [query(number, note="from the cache") for number in range(500)])

    assert redactor.cleaned["from the cache"] == 1
    assert redactor.cleaned.total() <= 10  # each text of one span


def test_a_text_that_differs_each_time_is_cleaned_once_each_and_makes_no_other_text_be_cleaned_again() -> None:
    redactor = CountingRedactor()
    mapper = RowMapper(redactor=redactor)

    mapper.add_spans(RowBatch(), [query(number, note=f"order {number}") for number in range(500)])

    assert all(redactor.cleaned[f"order {number}"] == 1 for number in range(500))
    assert redactor.cleaned.total() <= 510


def test_a_list_of_texts_that_comes_again_is_cleaned_once() -> None:
    redactor = CountingRedactor()
    mapper = RowMapper(redactor=redactor)

    mapper.add_spans(RowBatch(), [query(number, keys=("user:*", "cart:*")) for number in range(500)])

    assert redactor.cleaned["user:*"] == redactor.cleaned["cart:*"] == 1


def test_a_known_span_leaves_its_row_and_nothing_else_in_memory() -> None:
    mapper = RowMapper()
    mapper.add_spans(RowBatch(), [query(number) for number in range(100)])
    spans = [query(number) for number in range(1000)]
    batch = RowBatch(steps=[])
    gc.collect()

    before = sys.getallocatedblocks()
    mapper.add_spans(batch, spans)
    added = sys.getallocatedblocks() - before

    # The row, its span id, its two times, its duration and its metadata.
    assert added / len(spans) <= 8
    assert len(batch.steps) == len(spans)


def failed(number: int, message: str, stack: str, *, status: int = 500) -> Any:
    return make_span(
        "GET /orders",
        span_id=number + 1,
        trace_id=number + 1,
        kind=SpanKind.SERVER,
        attributes={"http.request.method": "GET", "http.route": "/orders", "http.response.status_code": status},
        events=[
            Event(
                "exception",
                {"exception.type": "shop.Refused", "exception.message": message, "exception.stacktrace": stack},
                START_UNIX_NS,
            )
        ],
    )


def stack(message: str, *, filling: str = "") -> str:
    return (
        f'Traceback (most recent call last):\n  File "shop/views.py", line 12, in pay\n{filling}shop.Refused: {message}'
    )


def test_an_exception_that_comes_again_is_read_and_masked_once() -> None:
    redactor = CountingRedactor()
    mapper, batch = RowMapper(redactor=redactor), RowBatch()

    mapper.add_spans(batch, [failed(number, "password=x", stack("password=x")) for number in range(100)])

    assert len({error.event_key for error in batch.errors}) == 100
    assert {error[9:12] for error in batch.errors} == {batch.errors[0][9:12]}  # message, stack, fingerprint
    assert "password=[redacted]" in batch.errors[99].stack_trace
    assert redactor.stacks == {stack("password=x"): 1}


def test_exceptions_that_differ_in_anything_are_told_apart() -> None:
    spans = [
        failed(1, "no funds", stack("no funds")),
        failed(2, "no card", stack("no card")),
        failed(3, "no funds", stack("no funds"), status=503),
        failed(4, "no funds", ""),
    ]
    together, alone = RowBatch(), RowBatch()

    RowMapper().add_spans(together, spans)
    for span in spans:
        RowMapper().add_spans(alone, [span])

    assert together.errors == alone.errors
    assert len({error.error_class for error in together.errors}) == 2


def test_an_exception_that_had_to_be_changed_counts_each_time() -> None:
    mapper = RowMapper()
    long = stack("no funds", filling="    pay()\n" * 100_000)

    mapper.add_spans(RowBatch(), [failed(number, "no funds", long) for number in range(3)])
    once = RowMapper()
    once.add_spans(RowBatch(), [failed(0, "no\x00funds", "")])
    mapper.add_spans(RowBatch(), [failed(number, "no\x00funds", "") for number in range(3)])

    assert mapper.sanitised["cut"] == 3
    assert mapper.sanitised["control or surrogate characters"] == 3 * once.sanitised["control or surrogate characters"]


def test_what_is_known_of_exceptions_is_bounded() -> None:
    mapper = RowMapper()
    texts = mapper._errors._error_texts

    for number in range(2_000):
        mapper.add_spans(RowBatch(), [failed(number, f"{number}", stack(f"{number}", filling="    pay()\n" * 500))])
        held = sum(2 * (len(one.stack) + len(one.message) + len(one.error_type)) for one in texts._known)
        assert held == texts._characters <= 1_000_000
        assert len(texts._known) <= 256
