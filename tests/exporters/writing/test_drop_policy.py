"""What a full queue drops first: plain spans, then metrics, then errors, and failed workflows last of all."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context
from support.spans import RESOURCE, make_span

from e2edebug.policy import attributes as names
from e2edebug_exporters.bounded_queue import BoundedQueue, Kind, Rank, rank_of_span, rows_of
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.recording.span import RecordingSpan

SPANS = 8


def queue_of(max_items: int, *, max_bytes: int = 1 << 40) -> tuple[BoundedQueue, Ledger]:
    ledger = Ledger()
    return BoundedQueue(max_items=max_items, max_bytes=max_bytes, ledger=ledger), ledger


def put_span(queue: BoundedQueue, **of_span: Any) -> None:
    span = make_span(**of_span)
    queue.put(Kind.SPAN, span, rows=1, size_bytes=10, rank=rank_of_span(span))


def recorded_span(
    name: str = "work",
    *,
    trace_id: int = 1,
    span_id: int = 2,
    parent: int | None = None,
    status: StatusCode | None = None,
) -> RecordingSpan:
    """Return an ended span of our own tracer's."""
    provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
    provider.id_generator = _Ids(trace_id, span_id)
    context = Context()
    if parent is not None:
        context = set_span_in_context(
            NonRecordingSpan(SpanContext(trace_id, parent, False, TraceFlags(TraceFlags.SAMPLED))), context
        )
    span = provider.get_tracer("test").start_span(name, context)
    if status is not None:
        span.set_status(status)
    span.end()
    assert isinstance(span, RecordingSpan)
    return span


class _Ids(IdGenerator):
    def __init__(self, trace_id: int, span_id: int) -> None:
        self._trace_id, self._span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        return self._trace_id

    def generate_span_id(self) -> int:
        return self._span_id


def put_metrics(queue: BoundedQueue, rows: int) -> None:
    queue.put(Kind.METRICS, f"{rows} points", rows=rows, size_bytes=10, rank=Rank.METRICS)


def put_log(queue: BoundedQueue, text: str) -> None:
    queue.put(Kind.LOG, text, rows=1, size_bytes=10, rank=Rank.ERROR)


def left(queue: BoundedQueue) -> list[str]:
    names_left = []
    for item in queue.take(1000, 1 << 40):
        payload = item if isinstance(item, RecordingSpan) else item[2]
        names_left.append(getattr(payload, "name", payload))
    queue.settle()
    return names_left


def fill(queue: BoundedQueue) -> None:
    """Put in two of each kind, the most important first."""
    put_span(queue, name="failed root", trace_id=7, span_id=1, status=StatusCode.ERROR)
    put_span(queue, name="of the failed workflow", trace_id=7, span_id=2, parent=1)
    put_log(queue, "error 1")
    put_span(queue, name="error 2", trace_id=8, span_id=3, parent=9, status=StatusCode.ERROR)
    put_metrics(queue, 3)
    put_metrics(queue, 4)
    put_span(queue, name="plain 1", trace_id=9)
    put_span(queue, name="plain 2", trace_id=10)


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (7, ["failed root", "of the failed workflow", "error 1", "error 2", "3 points", "4 points", "plain 2"]),
        (5, ["failed root", "of the failed workflow", "error 1", "error 2", "4 points"]),
        (3, ["failed root", "of the failed workflow", "error 2"]),
        (2, ["failed root", "of the failed workflow"]),
        (1, ["failed root"]),
    ],
)
def test_the_order_of_dropping(room: int, kept: list[str]) -> None:
    queue, ledger = queue_of(room)

    fill(queue)

    reading = ledger.read()
    assert reading.emitted == SPANS - 2 + 3 + 4
    assert reading.is_balanced
    assert left(queue) == kept


def test_a_bound_in_bytes_has_the_same_order() -> None:
    queue, ledger = queue_of(1000, max_bytes=45)

    fill(queue)

    assert left(queue) == ["failed root", "of the failed workflow", "error 1", "error 2"]
    assert ledger.read().is_balanced


def test_what_waits_of_a_workflow_is_saved_by_its_failing_at_last() -> None:
    """Children end before their root, so they wait already when it turns out that it failed."""
    queue, _ = queue_of(4)
    put_span(queue, name="child", trace_id=7, span_id=2, parent=1)
    put_span(queue, name="other", trace_id=8)
    put_span(queue, name="root", trace_id=7, span_id=1, status=StatusCode.ERROR)
    for number in range(10):
        put_span(queue, name=f"later {number}", trace_id=100 + number)

    assert left(queue) == ["child", "root", "later 8", "later 9"]


def test_a_workflow_that_was_said_to_fail_counts_as_failed() -> None:
    said = make_span(parent=1, attributes={names.WORKFLOW_STATUS: "failed"})

    assert rank_of_span(said) is Rank.FAILED_WORKFLOW
    assert rank_of_span(make_span(parent=1, parent_is_remote=True, status=StatusCode.ERROR)) is Rank.FAILED_WORKFLOW
    assert rank_of_span(make_span(parent=1, status=StatusCode.ERROR)) is Rank.ERROR
    assert rank_of_span(make_span(attributes={names.WORKFLOW_STATUS: "completed"})) is Rank.PLAIN


def test_spans_of_our_own_are_dropped_in_the_same_order() -> None:
    """They wait without an entry, so what is asked of one is asked of them."""
    queue, ledger = queue_of(4)
    queue.put_span(recorded_span("child", trace_id=7, span_id=2, parent=1))
    queue.put_span(recorded_span("other", trace_id=8))
    put_span(queue, name="other, of the SDK", trace_id=9)
    queue.put_span(recorded_span("root", trace_id=7, span_id=1, status=StatusCode.ERROR))
    put_log(queue, "an error")
    for number in range(10):
        assert queue.put_span(recorded_span(f"later {number}", trace_id=100 + number)) == -1

    reading = ledger.read()
    assert (reading.emitted, reading.dropped) == (15, {"queue_full": 11})
    assert reading.is_balanced
    assert left(queue) == ["child", "root", "an error", "later 9"]
    assert queue.size_bytes == 0


def test_a_span_may_wait_in_two_queues() -> None:
    first, first_ledger = queue_of(10)
    second, second_ledger = queue_of(10)
    span = recorded_span()
    for _ in range(3):
        second.put_span(recorded_span())
    for queue in (first, second):
        queue.put_span(span)

    last = second.last_sequence()
    assert not first.is_settled_up_to(first.last_sequence())
    assert not second.is_settled_up_to(last)
    assert (left(first), left(second)) == (["work"], ["work"] * 4)
    assert second.is_settled_up_to(last)
    assert first_ledger.read().is_balanced
    assert second_ledger.read().is_balanced


@given(
    st.lists(
        st.tuples(st.sampled_from(("plain", "recorded", "metrics", "log", "error", "root", "take")), st.integers(1, 4))
    ),
    st.integers(1, 6),
)
def test_the_books_balance_whatever_comes(puts: list[tuple[str, int]], room: int) -> None:
    queue, ledger = queue_of(room)
    emitted: Counter[str] = Counter()
    for kind, trace in puts:
        if kind == "take":
            ledger.drop(rows_of(queue.take(2, 1 << 40)), "taken")
            queue.settle()
            continue
        emitted["rows"] += trace if kind == "metrics" else 1
        if kind == "metrics":
            put_metrics(queue, trace)
        elif kind == "log":
            put_log(queue, "error")
        elif kind == "recorded":
            queue.put_span(recorded_span(trace_id=trace, parent=1))
        else:
            status = None if kind == "plain" else StatusCode.ERROR
            put_span(queue, trace_id=trace, parent=None if kind == "root" else 1, status=status)
        reading = ledger.read()
        assert reading.is_balanced
        assert reading.emitted == emitted["rows"]
        assert len(queue) <= room
    last = queue.last_sequence()
    left(queue)
    assert queue.is_settled_up_to(last)
    assert queue.size_bytes == 0
