"""Spans that have their attributes in common with others are not looked at again, and become the very same rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, set_span_in_context
from support.spans import RESOURCE, EndedSpans

from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug.policy.redaction import Redactor
from e2edebug_exporters import known_steps
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch

QUERY = {
    "db.system.name": "mysql",
    "e2edebug.layer": "database",
    "server.address": "db.example",
    "server.port": 3306,
    "db.query.text": "SELECT name FROM shop_product WHERE id = ?",
    "e2edebug.component": "shop_product",
    "e2edebug.operation": "SELECT",
    "code.file.path": "shop/views.py",
    "code.line.number": 42,
}
ROWS = "db.response.returned_rows"
WORKFLOW = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


_ended = EndedSpans()


def _provider(resource: Resource) -> TracerProvider:
    made = make_tracer_provider(ALWAYS_ON, resource)
    made.add_span_processor(_ended)
    return made


_providers = [_provider(RESOURCE), _provider(Resource({"service.name": "other"}))]


def recorded(
    prepared: PreparedAttributes, own: Mapping[str, Any], *, kind: SpanKind = SpanKind.CLIENT, resource: int = 0
) -> ReadableSpan:
    """Return an ended span with *prepared* in common with others, and *own* set while it ran."""
    tracer: Any = _providers[resource].get_tracer("e2edebug.database")
    context = set_span_in_context(tracer.start_span("request", Context()), Context())
    span = tracer.start_plain_span("SELECT shop_product", context, kind, prepared)
    for name, value in own.items():
        span.set_attribute(name, value)
    span.end()
    return _ended.spans.pop()


def rows_both_ways(spans: Sequence[ReadableSpan]) -> RowMapper:
    """Map *spans* with and without what is known, one batch each; assert that the rows are the same."""
    fast, slow = (RowMapper(redactor=Redactor(["loyalty"]), value_max_bytes=300) for _ in range(2))
    slow._steps.map_known = lambda span, index: None  # type: ignore[method-assign]
    for span in spans:
        rows, expected = RowBatch(), RowBatch()
        fast.add_span(rows, span)
        slow.add_span(expected, span)
        assert rows == expected
    assert fast.sanitised == slow.sanitised
    return fast


OWN = st.dictionaries(
    st.sampled_from(
        [ROWS, "correlation.id", "e2edebug.component", "db.query.text", "loyalty.number", "note", "http.url"]
    ),
    st.one_of(
        st.integers(0, 12),
        st.booleans(),
        st.floats(allow_nan=True),
        st.sampled_from(
            [WORKFLOW, "SELECT 1", "4111111111111111", "password=hunter2", "x" * 400, "http://a.b/c?d=e", ""]
        ),
    ),
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), OWN, st.sampled_from([SpanKind.CLIENT, SpanKind.INTERNAL])), max_size=30))
def test_rows_are_those_of_mapping_every_span(given_spans: list[tuple[int, dict[str, Any], SpanKind]]) -> None:
    statements = [
        PreparedAttributes(QUERY),
        PreparedAttributes({**QUERY, "db.query.text": "SELECT 2", "e2edebug.component": "two"}),
        PreparedAttributes({**QUERY, "correlation.id": WORKFLOW, "user.id": "7", "note": "prepared"}),
    ]
    rows_both_ways([recorded(statements[number], own, kind=kind) for number, own, kind in given_spans])


def test_what_is_prepared_is_looked_at_for_the_first_spans_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    find = known_steps.KnownSteps.find

    def counted(*given: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return find(*given)

    monkeypatch.setattr(known_steps.KnownSteps, "find", counted)
    statements = [PreparedAttributes({**QUERY, "code.line.number": line}) for line in range(10)]
    spans = [recorded(statements[number % 10], {ROWS: number}) for number in range(1000)]

    mapper = rows_both_ways(spans)

    assert looked_at <= 10 * 4
    assert mapper._steps._known.hits >= 1000 - 10 * 4


def test_a_workflow_that_a_query_is_told_of_is_its_own() -> None:
    prepared = PreparedAttributes(QUERY)
    spans = [
        recorded(prepared, ({"correlation.id": WORKFLOW} if number % 2 else {}) | {ROWS: number})
        for number in range(80)
    ]
    mapper, batch = RowMapper(), RowBatch()

    mapper.add_spans(batch, spans)

    assert [row.correlation_id == WORKFLOW for row in batch.steps] == [False, True] * 40
    assert len(mapper._steps._known._prepared) == 2


def test_another_resource_makes_other_rows() -> None:
    prepared = PreparedAttributes(QUERY)

    rows_both_ways([recorded(prepared, {ROWS: number}, resource=number % 2) for number in range(20)])


def test_secrets_of_its_own_are_taken_out_of_each() -> None:
    prepared = PreparedAttributes(QUERY)
    spans = [recorded(prepared, {"note": f"password=hunter{number}"}) for number in range(20)]
    mapper, batch = RowMapper(), RowBatch()

    mapper.add_spans(batch, spans)

    assert all("hunter" not in row.metadata and "[redacted]" in row.metadata for row in batch.steps)


@pytest.mark.parametrize(("name", "bound"), [("MOST_STEPS", 5), ("_MOST_CHARACTERS", 5 * 110)])
def test_what_is_kept_has_a_bound(name: str, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements that are written anew each time are new ones each."""
    monkeypatch.setattr(known_steps, name, bound)
    mapper, batch = RowMapper(), RowBatch()

    for number in range(40):
        mapper.add_span(batch, recorded(PreparedAttributes(QUERY), {ROWS: number}))
        assert len(mapper._steps._known._prepared) <= 5

    assert mapper._steps._known._prepared
    assert len({row.metadata for row in batch.steps}) == 40
