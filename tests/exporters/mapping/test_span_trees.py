"""What survives of any tree of spans, however it is cut into batches: parentage, order, counts and durations."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from support.spans import START_UNIX_NS, make_span

from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch, StepRow


@dataclass(frozen=True)
class Tree:
    """Spans in the order in which they end, and where that order is cut into batches."""

    spans: list[ReadableSpan]
    batch_size: int


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Draw a request with up to 30 steps below it; each lies within its parent's time."""
    count = draw(st.integers(1, 30))
    bounds = [(START_UNIX_NS, START_UNIX_NS + 10**9)]
    spans = []
    for number in range(count):
        parent = None if number == 0 else draw(st.integers(0, number - 1))
        if parent is not None:
            first, last = bounds[parent]
            start = draw(st.integers(first, last))
            bounds.append((start, draw(st.integers(start, last))))
        is_query = parent is not None and draw(st.booleans())
        spans.append(
            make_span(
                f"step {number}",
                span_id=number + 1,
                parent=None if parent is None else parent + 1,
                kind=SpanKind.SERVER if parent is None else SpanKind.CLIENT if is_query else SpanKind.INTERNAL,
                attributes={"db.system": "mysql", "db.statement": f"SELECT {number}"} if is_query else {},
                start_unix_ns=bounds[number][0],
                end_unix_ns=bounds[number][1],
            )
        )
    spans.sort(key=lambda span: (span.end_time or 0, -(span.context.span_id if span.context else 0)))
    return Tree(spans, draw(st.integers(1, 30)))


def stored(tree: Tree) -> list[StepRow]:
    mapper = RowMapper()
    rows: list[StepRow] = []
    for start in range(0, len(tree.spans), tree.batch_size):
        batch = RowBatch()
        assert mapper.add_spans(batch, tree.spans[start : start + tree.batch_size]) == 0
        rows += batch.steps
    return rows


@settings(max_examples=60, deadline=None)
@given(trees())
def test_parentage_order_counts_and_durations_survive(tree: Tree) -> None:
    rows = stored(tree)

    assert len(rows) == len(tree.spans)
    for row, span in zip(rows, tree.spans, strict=True):
        assert span.context is not None
        assert int(row.span_id, 16) == span.context.span_id
        assert (int(row.parent_span_id, 16) if row.parent_span_id else None) == (span.parent and span.parent.span_id)
        assert row.duration_ms == ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    in_time = sorted(range(len(rows)), key=lambda index: (tree.spans[index].start_time or 0) // 1000)
    assert [rows[index].start_time for index in in_time] == sorted(row.start_time for row in rows)
    assert {row.trace_id for row in rows} == {f"{1:032x}"}
    assert len({row.correlation_id for row in rows}) == 1
    assert [row.session_facts is not None for row in rows].count(True) == 1


@settings(max_examples=60, deadline=None)
@given(trees())
def test_every_step_of_a_request_has_a_layer_from_its_nearest_ancestor_that_has_one(tree: Tree) -> None:
    rows = {row.span_id: row for row in stored(Tree(tree.spans, len(tree.spans)))}

    for row in rows.values():
        expected = row
        while expected.kind == "internal" and expected.parent_span_id is not None:
            expected = rows[expected.parent_span_id]
        assert row.layer == {"server": "api", "client": "database"}[expected.kind]


@settings(max_examples=30, deadline=None)
@given(trees())
def test_the_same_tree_delivered_twice_is_the_same_rows(tree: Tree) -> None:
    assert stored(tree) == stored(tree)


def test_a_chain_of_ten_thousand_steps_is_mapped() -> None:
    chain = [make_span(span_id=number, parent=number - 1 or None) for number in range(10_000, 0, -1)]

    assert len(stored(Tree(chain, 512))) == 10_000
