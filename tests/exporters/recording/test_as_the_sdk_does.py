"""The SDK's spans and ours, driven by the same operations, are read alike by processors and exporters."""

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider, sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from e2edebug_exporters.recording.kept_attributes import UNREADABLE
from e2edebug_exporters.recording.provider import RecordingTracerProvider, make_tracer_provider
from e2edebug_exporters.recording.span import UNPRINTABLE

RESOURCE = Resource({"service.name": "shop"})


class Ids(IdGenerator):
    def __init__(self) -> None:
        self._next = itertools.count(1)

    def generate_trace_id(self) -> int:
        return 2**100 + next(self._next)

    def generate_span_id(self) -> int:
        return 2**50 + next(self._next)

    def is_trace_id_random(self) -> bool:
        return True


class Seen(SpanProcessor):
    """What a processor of a user's sees, copied at once."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started.append((span.name, dict(span.attributes or {}), span.is_recording(), parent_context))

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


@dataclass
class Side:
    provider: TracerProvider
    seen: Seen


def sides(sampler: Sampler = sampling.ALWAYS_ON) -> tuple[Side, Side]:
    """The SDK's provider and ours, each with ids and a clock that count from one."""
    with mock.patch("opentelemetry.sdk.trace.RandomIdGenerator", Ids):
        stock = TracerProvider(sampler=sampler, resource=RESOURCE, shutdown_on_exit=False)
        ours = make_tracer_provider(sampler, RESOURCE)
    assert isinstance(ours, RecordingTracerProvider)
    made = []
    for provider in (stock, ours):
        seen = Seen()
        provider.add_span_processor(seen)
        made.append(Side(provider, seen))
    return made[0], made[1]


def fields(span: Any) -> dict[str, Any]:
    """Everything that the public interface of ReadableSpan tells; types included, 1 is not True."""
    scope = span.instrumentation_scope
    return {
        "name": span.name,
        "context": context_fields(span.context),
        "same context": span.get_span_context() is span.context,
        "parent": context_fields(span.parent),
        "kind": span.kind,
        "times": (span.start_time, span.end_time),
        "status": (span.status.status_code, span.status.description),
        "attributes": typed(span.attributes),
        "events": [(e.name, e.timestamp, typed(e.attributes), e.dropped_attributes) for e in span.events],
        "links": [(context_fields(one.context), typed(one.attributes), one.dropped_attributes) for one in span.links],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "resource": span.resource,
        "scope": (scope.name, scope.version, scope.schema_url, typed(scope.attributes)),
        "info": repr(span.instrumentation_info),
    }


def context_fields(context: SpanContext | None) -> Any:
    if context is None:
        return None
    return (
        *context,
        type(context),
        int(context.trace_flags),
        type(context.trace_flags),
        context.trace_state.to_header(),
    )


def typed(attributes: Mapping[str, Any] | None) -> Any:
    return None if attributes is None else [(key, repr(value), type(value)) for key, value in attributes.items()]


class Wordy:
    def __str__(self) -> str:
        return "a thing with words"


class Text(str):
    __slots__ = ()


simple = st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=4))
values = st.one_of(
    simple,
    st.lists(simple, max_size=3),
    st.dictionaries(st.text(max_size=3), simple, max_size=2),
    st.builds(Wordy),
    st.builds(object),
    st.builds(Text, st.text(max_size=8)),
)
keys = st.one_of(st.sampled_from(["a", "b", "c", "d", "e"]), st.just(""), st.builds(Text, st.sampled_from(["a", "f"])))
odd_keys = st.one_of(keys, st.integers(0, 2), st.none())
attribute_sets = st.dictionaries(odd_keys, values, max_size=6)
contexts = st.builds(
    SpanContext,
    st.integers(0, 3),
    st.integers(0, 3),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(value) for value in range(4)]),
    trace_state=st.sampled_from([TraceState(), TraceState([("vendor", "1")])]),
)
links = st.lists(st.tuples(contexts, st.one_of(st.none(), attribute_sets)), max_size=4)
statuses = st.one_of(
    st.tuples(st.sampled_from(StatusCode), st.one_of(st.none(), st.text(max_size=5))),
    st.tuples(st.builds(Status, st.sampled_from(StatusCode)), st.one_of(st.none(), st.text(max_size=5))),
    st.tuples(st.just("no status"), st.none()),
)
# Made anew each time: of an exception that it has recorded before, our span tells less.
errors = st.one_of(
    st.builds(ValueError, st.just("wrong")),
    st.builds(KeyError),
    st.builds(KeyboardInterrupt),
    st.builds(type("Odd", (Exception,), {}), st.just("x")),
)
times = st.one_of(st.none(), st.integers(0, 10))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set_attribute"), odd_keys, values),
        st.tuples(st.just("set_attributes"), attribute_sets),
        st.tuples(st.just("add_event"), st.text(max_size=3), st.one_of(st.none(), attribute_sets), times),
        st.tuples(st.just("add_link"), contexts, st.one_of(st.none(), attribute_sets)),
        st.tuples(st.just("update_name"), st.text(max_size=5)),
        st.tuples(st.just("set_status"), statuses),
        st.tuples(st.just("record_exception"), errors, st.one_of(st.none(), attribute_sets), times, st.booleans()),
        st.tuples(st.just("end"), times),
        st.tuples(st.just("read")),
    ),
    max_size=12,
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": st.integers(0, 4).map(str),
        "OTEL_ATTRIBUTE_COUNT_LIMIT": st.integers(0, 4).map(str),
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": st.integers(0, 3).map(str),
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": st.integers(0, 3).map(str),
        "OTEL_SPAN_EVENT_COUNT_LIMIT": st.integers(0, 2).map(str),
        "OTEL_SPAN_LINK_COUNT_LIMIT": st.integers(0, 2).map(str),
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": st.integers(0, 2).map(str),
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": st.integers(0, 2).map(str),
    },
)


def perform(span: Any, operation: tuple[Any, ...]) -> Any:
    name, *arguments = operation
    if name == "read":
        if isinstance(span, NonRecordingSpan):
            return None
        return typed(span.attributes), len(span.events), span.is_recording()
    if name == "set_status":
        ((status, description),) = arguments
        return span.set_status(status, description)
    return getattr(span, name)(*arguments)


class Deciding(Sampler):
    """Decides as it is told, and adds an attribute and a trace state of its own."""

    def __init__(self, decision: Decision, *, says_more: bool) -> None:
        self._decision = decision
        self._says_more = says_more

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if not self._says_more:
            return SamplingResult(self._decision, attributes)
        return SamplingResult(
            self._decision, {**(attributes or {}), "sampled.by": "a test"}, TraceState([("sampler", "mine")])
        )

    def get_description(self) -> str:
        return "Deciding"


samplers = st.one_of(
    st.just(sampling.ALWAYS_ON),
    st.just(sampling.DEFAULT_ON),
    st.just(sampling.AlwaysRecordSampler(sampling.TraceIdRatioBased(0.5))),
    st.builds(Deciding, st.sampled_from(Decision), says_more=st.booleans()),
)


@settings(max_examples=250, deadline=None)
@given(
    environment=limits,
    sampler=samplers,
    attributes=st.one_of(st.none(), attribute_sets),
    start_links=links,
    parent=st.one_of(st.none(), contexts),
    kind=st.sampled_from(SpanKind),
    start_time=times,
    steps=operations,
)
def test_whatever_is_done_to_a_span_it_reads_as_the_sdks_own(
    environment: dict[str, str],
    sampler: Sampler,
    attributes: dict[Any, Any] | None,
    start_links: list[tuple[SpanContext, Any]],
    parent: SpanContext | None,
    kind: SpanKind,
    start_time: int | None,
    steps: list[tuple[Any, ...]],
) -> None:
    context = None if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
    with mock.patch.dict("os.environ", environment):
        pair = sides(sampler)

    read = []
    for side in pair:
        clock = itertools.count(100).__next__
        # One at the begin, which the SDK does not ask for, and one at the end: the same clock, so it may not tick twice.
        monotonic = itertools.chain([100], iter(clock, None)).__next__
        with (
            mock.patch("opentelemetry.sdk.trace.time_ns", clock),
            mock.patch("e2edebug_exporters.recording.span.time_ns", clock),
            mock.patch("e2edebug_exporters.recording.span.perf_counter_ns", monotonic),
        ):
            tracer = side.provider.get_tracer("shop.orders", "1.0", "https://schema", {"of": "scope"})
            span = tracer.start_span(
                "order", context, kind, attributes, [Link(*link) for link in start_links], start_time
            )
            answers = [perform(span, step) for step in steps]
            span.end()
        read.append(
            (
                answers,
                side.seen.started,
                [fields(one) for one in side.seen.ended],
                context_fields(span.get_span_context()),
            )
        )

    assert read[1] == read[0]


def ended(act: Callable[[trace.Tracer], Any]) -> list[list[dict[str, Any]]]:
    """Do the same on both sides; return what ended on each, without times."""
    found = []
    for side in sides():
        act(side.provider.get_tracer("shop"))
        found.append([{**fields(one), "times": None} for one in side.seen.ended])
    return found


def without_stacks(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**span, "events": [[a for a in event[2] if a[0] != "exception.stacktrace"] for event in span["events"]]}
        for span in spans
    ]


@pytest.mark.parametrize("escaping", [ValueError("wrong"), SystemExit(2)], ids=["error", "exit"])
def test_an_exception_that_leaves_a_with_block_is_noted_as_by_the_sdk(escaping: BaseException) -> None:
    def act(tracer: trace.Tracer) -> None:
        for block in (tracer.start_as_current_span("current"), tracer.start_span("by itself")):
            with pytest.raises(type(escaping)), block:
                raise escaping

    stock, ours = ended(act)

    assert without_stacks(ours) == without_stacks(stock)
    assert len(ours) == 2


def test_children_and_decorated_functions_have_the_current_span_as_parent() -> None:
    def act(tracer: trace.Tracer) -> None:
        @tracer.start_as_current_span("decorated")
        def work() -> int:
            tracer.start_span("inner").end()
            return 17

        with tracer.start_as_current_span("outer"):
            assert work() == 17

    stock, ours = ended(act)

    assert ours == stock
    assert [span["name"] for span in ours] == ["inner", "decorated", "outer"]


def test_a_span_that_has_ended_is_what_its_processors_keep() -> None:
    _, ours = sides()
    span = ours.provider.get_tracer("shop").start_span("order", attributes={"paid": True})
    view = span.attributes  # type: ignore[attr-defined] # the SDK's spans are readable
    span.set_attribute("item", 7)
    assert dict(view) == {"paid": True, "item": 7}
    span.end()
    (kept,) = ours.seen.ended
    before = fields(kept)

    span.set_attribute("paid", False)
    span.set_attributes({"more": 1})
    span.add_event("late")
    span.add_link(SpanContext(1, 1, is_remote=False))
    span.update_name("other")
    span.set_status(StatusCode.ERROR)
    span.end(12)

    assert fields(kept) == before
    assert len(ours.seen.ended) == 1
    assert isinstance(kept, ReadableSpan)
    assert isinstance(kept, Span)
    with pytest.raises(TypeError):
        kept.attributes["paid"] = False  # type: ignore[index] # that is the point
    assert fields(copy.deepcopy(kept)) | {"same context": True} == before
    assert "shop" in kept.to_json()


def test_an_exception_that_cannot_be_printed_is_recorded_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not in words")

    _, ours = sides()
    with pytest.raises(Mute), ours.provider.get_tracer("shop").start_span("order"):
        raise Mute

    (kept,) = ours.seen.ended
    assert kept.events[0].attributes is not None
    assert kept.events[0].attributes["exception.message"] == UNPRINTABLE
    assert kept.status.description == f"Mute: {UNPRINTABLE}"


class Unreadable:
    """Fails when it is asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("not ready")


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    "value", [endless(), Unreadable(), {"inner": [Unreadable()]}], ids=["endless", "text", "inner"]
)
def test_a_value_that_cannot_be_read_costs_the_application_nothing_and_itself_alone(value: Any) -> None:
    seen = Seen()
    provider = RecordingTracerProvider(sampling.ALWAYS_ON, RESOURCE)
    provider.add_span_processor(seen)
    context = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))

    span = provider.get_tracer("test").start_span(
        "read", attributes={"a": 1, "b": value}, links=[Link(context, {"b": value})]
    )
    span.set_attribute("c", value)
    span.set_attributes({"d": value, "e": 2})
    span.add_event("happened", {"b": value, "f": 3})
    span.add_link(context, {"b": value})
    span.end()

    (ended,) = seen.ended
    assert dict(ended.attributes or {}) == {"a": 1, "b": UNREADABLE, "c": UNREADABLE, "d": UNREADABLE, "e": 2}
    assert dict(ended.events[0].attributes or {}) == {"b": UNREADABLE, "f": 3}
    assert [dict(link.attributes or {}) for link in ended.links] == [{"b": UNREADABLE}] * 2


def test_the_attributes_a_caller_passed_stay_the_callers() -> None:
    _, ours = sides()
    passed: dict[str, Any] = {"item": 7, "tags": ["a"]}
    span = ours.provider.get_tracer("shop").start_span("order", attributes=passed)

    passed["item"] = 8
    passed["tags"].append("b")
    span.end()

    assert dict(ours.seen.ended[0].attributes or {}) == {"item": 7, "tags": ("a",)}
    assert passed == {"item": 8, "tags": ["a", "b"]}
