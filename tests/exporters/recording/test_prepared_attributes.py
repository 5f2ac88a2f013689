"""A span that has attributes in common with others is read, and changed, as one that owns all of them."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, sampling
from opentelemetry.trace import SpanKind
from support.spans import EndedSpans

from e2edebug.policy.prepared_attributes import PreparedAttributes
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch

QUERY = {
    "db.system.name": "mysql",
    "e2edebug.layer": "database",
    "e2edebug.component": "cart",
    "db.query.text": "SELECT card FROM cart WHERE id = ?",
}
ROWS = "db.response.returned_rows"


def begin(attributes: dict[str, Any], *processors: SpanProcessor) -> Any:
    provider = make_tracer_provider(sampling.ALWAYS_ON, Resource.get_empty())
    for processor in processors:
        provider.add_span_processor(processor)
    tracer: Any = provider.get_tracer("shop")
    context = trace.set_span_in_context(tracer.start_span("request", Context()), Context())
    return tracer.start_plain_span("SELECT cart", context, SpanKind.CLIENT, attributes)


def prepared(**more: Any) -> PreparedAttributes:
    return PreparedAttributes({**QUERY, **more})


READINGS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "attributes": lambda span: dict(span.attributes),
    "the SDK's private name": lambda span: dict(span._attributes),
    "a copy": lambda span: dict(span._readable_span().attributes),
    "a deep copy": lambda span: dict(copy.deepcopy(span).attributes),
    "JSON": lambda span: dict(json.loads(span.to_json())["attributes"]),
    "one by one": lambda span: {name: span.attribute(name) for name in [*QUERY, ROWS] if span.attribute(name)},
}


@pytest.mark.parametrize("has_ended", [True, False])
@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
def test_it_is_read_in_one_piece(read: Callable[[Any], dict[str, Any]], has_ended: bool) -> None:
    common = prepared()
    span = begin(common)
    span.set_attribute(ROWS, 3)
    if has_ended:
        span.end()

    assert read(span) == {**QUERY, ROWS: 3}
    assert read(span) == {**QUERY, ROWS: 3}
    assert span.dropped_attributes == 0
    assert dict(common) == QUERY


def test_a_copy_leaves_it_as_it_is() -> None:
    """A live view copies running spans, and other exporters may be given copies of ended ones."""
    common = prepared()
    span = begin(common)

    span._readable_span()
    copy.deepcopy(span)
    span.end()
    span._readable_span()

    assert span._prepared is common
    assert span._own == {}


CHANGES: dict[str, Callable[[Any], object]] = {
    "one": lambda span: span.set_attribute("db.query.text", "SELECT ?"),
    "several": lambda span: span.set_attributes({"db.query.text": "SELECT ?"}),
    "one that has to be cleaned": lambda span: span.set_attribute("db.query.text", ["SELECT ?"]),
    "by the SDK's private name": lambda span: span._attributes.__setitem__("db.query.text", "SELECT ?"),
    "all of them by that name": lambda span: setattr(span, "_attributes", {**QUERY, "db.query.text": "SELECT ?"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_is_changed_on_this_span_alone(change: Callable[[Any], object]) -> None:
    common = prepared()
    first, second = begin(common), begin(common)

    change(first)
    first.set_attribute(ROWS, 1)

    changed = ("SELECT ?",) if isinstance(first.attributes["db.query.text"], tuple) else "SELECT ?"
    assert dict(first.attributes) == {**QUERY, "db.query.text": changed, ROWS: 1}
    assert dict(second.attributes) == QUERY
    assert dict(common) == QUERY


def test_what_is_set_again_stands_last() -> None:
    span = begin(prepared())

    span.set_attribute("db.system.name", "mariadb")

    assert list(span.attributes) == [*list(QUERY)[1:], "db.system.name"]


@pytest.mark.parametrize("more", [{}, {"server.port": 3306}])
def test_what_is_prepared_counts_against_the_limit(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "4")
    common = prepared(**more)
    span = begin(common)

    span.set_attribute(ROWS, 1)

    assert len(span.attributes) == 4
    assert span.dropped_attributes == len(common) + 1 - 4
    assert dict(common) == {**QUERY, **more}


def test_it_is_read_by_one_who_interrupts_the_thread_that_sets_one() -> None:
    """A signal handler that waited for the lock would wait for ever."""
    span = begin(prepared())
    span.set_attribute(ROWS, 1)

    with span._lock:
        assert span._attributes == {**QUERY, ROWS: 1}

    span.set_attribute("more", 2)
    assert dict(span.attributes) == {**QUERY, ROWS: 1, "more": 2}


class _Adding(sampling.StaticSampler):
    def should_sample(self, *given: Any, **named: Any) -> sampling.SamplingResult:
        attributes = given[_ATTRIBUTES]
        attributes["sampler.rule"] = "all"
        return sampling.SamplingResult(sampling.Decision.RECORD_AND_SAMPLE, attributes)


_ATTRIBUTES = 4
"""Where a sampler is given them: after context, trace id, name and kind."""


def test_a_sampler_that_changes_the_attributes_changes_one_span() -> None:
    common = prepared()
    provider = make_tracer_provider(_Adding(sampling.Decision.RECORD_AND_SAMPLE), Resource.get_empty())
    tracer: Any = provider.get_tracer("shop")

    span = tracer.start_plain_span("SELECT cart", Context(), SpanKind.CLIENT, common)

    assert span.attributes["sampler.rule"] == "all"
    assert dict(common) == QUERY


class _Masking(SpanProcessor):
    """As applications hide what they do not want stored, in the name that the SDK keeps it by."""

    def on_end(self, span: ReadableSpan) -> None:
        span._attributes["db.query.text"] = "SELECT hidden"  # type: ignore[index] # what processors in the wild do


def test_what_a_processor_hides_is_not_stored() -> None:
    """Also where spans that are alike but for that were stored before."""
    common = prepared()
    mapper, batch, kept = RowMapper(), RowBatch(), EndedSpans()
    for processors in [(kept,)] * 4 + [(_Masking(), kept)]:
        begin(common, *processors).end()

    for span in kept.spans:
        mapper.add_span(batch, span)

    texts = [row.statement for row in batch.steps]
    assert texts == ["SELECT card FROM cart WHERE id = ?"] * 4 + ["SELECT hidden"]
