"""What mapping costs, as counts: they hold what tuning has won, and no machine is too slow for them."""

import gc
import sys
from collections import Counter
from typing import Any

from opentelemetry.trace import SpanKind
from support.spans import make_span

from e2edebug.policy.redaction import Redactor, Treatment
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch


class CountingRedactor(Redactor):
    """Counts how often each text is cleaned."""

    def __init__(self) -> None:
        super().__init__()
        self.cleaned: Counter[str] = Counter()

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
