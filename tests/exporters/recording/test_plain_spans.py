"""A span that is begun the short way is the span that start_span() begins."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, sampling
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from e2edebug_exporters.recording import span as span_module
from e2edebug_exporters.recording import tracer as tracer_module
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.recording.span import RecordingSpan
from e2edebug_exporters.span_reading import is_stored

NAMES = RecordingSpan.__slots__
_OF_EACH = ("_lock", "_trace_id", "_span_id", "_made_context")
ATTRIBUTES = {"db.system.name": "mysql", "server.port": 3306, "is": True, "ms": 0.5}
REMOTE = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "1")]))


def begun(sampler: Sampler, above: str) -> tuple[Any, Any]:
    provider = make_tracer_provider(sampler, Resource.get_empty())
    tracer: Any = provider.get_tracer("shop")
    context = Context()
    if above == "recorded":
        context = trace.set_span_in_context(tracer.start_span("request", context), context)
    elif above == "remote":
        context = trace.set_span_in_context(NonRecordingSpan(REMOTE), context)
    return (
        tracer.start_span("SELECT cart", context, SpanKind.CLIENT, ATTRIBUTES),
        tracer.start_plain_span("SELECT cart", context, SpanKind.CLIENT, dict(ATTRIBUTES)),
    )


@pytest.mark.parametrize("above", ["nothing", "recorded", "remote"])
@pytest.mark.parametrize("sampler", [sampling.ALWAYS_ON, sampling.ParentBased(sampling.ALWAYS_ON)])
def test_it_has_the_same_fields(sampler: Sampler, above: str, monkeypatch: pytest.MonkeyPatch):
    for module in (span_module, tracer_module):
        monkeypatch.setattr(module, "time_ns", lambda: 1_000)
        monkeypatch.setattr(module, "perf_counter_ns", lambda: 5)

    usual, plain = begun(sampler, above)

    def fields(span: Any) -> dict[str, Any]:
        found = {name: getattr(span, name) for name in NAMES if name not in _OF_EACH}
        context = span.context
        return found | {"flags": context.trace_flags, "state": context.trace_state, "class": type(context)}

    assert fields(plain) == fields(usual)
    assert plain.parent == usual.parent
    assert (plain.context.trace_id == usual.context.trace_id) is (above != "nothing")
    assert plain.context.span_id != usual.context.span_id
    assert plain.context.is_valid


class _RecordOnly(sampling.StaticSampler):
    """Records what it does not let through, and leaves a mark in the trace's state."""

    def should_sample(self, *given: Any, **named: Any) -> sampling.SamplingResult:
        return sampling.SamplingResult(
            sampling.Decision.RECORD_ONLY, named.get("attributes"), TraceState([("seen", "1")])
        )


@pytest.mark.parametrize("is_like", [True, False])
def test_its_parent_is_the_context_of_the_span_above_whatever_differs_between_them(is_like: bool):
    """Where only the span ids differ, a parent's context is made when it is asked for."""
    above_sampler = sampling.ALWAYS_ON if is_like else _RecordOnly(sampling.Decision.RECORD_ONLY)
    above: Any = (
        make_tracer_provider(above_sampler, Resource.get_empty()).get_tracer("other").start_span("request", Context())
    )
    context = trace.set_span_in_context(above, Context())
    tracer: Any = make_tracer_provider(sampling.ALWAYS_ON, Resource.get_empty()).get_tracer("shop")
    spans = [tracer.start_span("a", context), tracer.start_plain_span("b", context, SpanKind.CLIENT, {})]

    for span in spans:
        assert span.parent == above.get_span_context()
        assert type(span.parent) is SpanContext
        assert span.context.trace_flags.sampled
        assert span.context is span.get_span_context()
        assert span._readable_span().parent == span.parent
    assert (spans[0].parent.trace_flags == spans[0].context.trace_flags) is is_like


@pytest.mark.parametrize("is_plain", [True, False])
def test_a_processor_may_assign_a_context_and_a_parent(is_plain: bool):
    """As Azure Monitor's manual takes spans out: the parent stays, children follow the new context, nothing is stored."""
    provider = make_tracer_provider(sampling.ALWAYS_ON, Resource.get_empty())
    tracer: Any = provider.get_tracer("shop")
    above = tracer.start_span("request", Context())
    context = trace.set_span_in_context(above, Context())

    class Unsampled(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            before = span.context
            span._context = SpanContext(
                before.trace_id, before.span_id, before.is_remote, TraceFlags(TraceFlags.DEFAULT), before.trace_state
            )

    provider.add_span_processor(Unsampled())
    start = tracer.start_plain_span if is_plain else tracer.start_span
    span = start("SELECT", context, SpanKind.CLIENT, {})
    child = tracer.start_span("child", trace.set_span_in_context(span, Context()))

    assert span.parent == above.get_span_context()
    assert not span.context.trace_flags.sampled
    assert not is_stored(span)
    assert child.parent == span.context
    span._parent = REMOTE
    assert span.parent is REMOTE
    assert span._parent_span_id == REMOTE.span_id
    span._parent = None
    assert span.parent is None


def test_it_is_not_recorded_where_the_tracer_is_off():
    from opentelemetry.sdk.trace import _TracerConfig

    provider: Any = make_tracer_provider(sampling.ALWAYS_ON, Resource.get_empty())
    tracer = provider.get_tracer("shop")
    context = trace.set_span_in_context(tracer.start_span("request", Context()), Context())
    provider._set_tracer_configurator(tracer_configurator=lambda _scope: _TracerConfig(is_enabled=False))

    assert isinstance(tracer.start_plain_span("SELECT", context, SpanKind.CLIENT, {}), NonRecordingSpan)


def test_more_attributes_than_a_span_may_have_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")

    usual, plain = begun(sampling.ALWAYS_ON, "recorded")

    assert (len(plain.attributes), plain.dropped_attributes) == (2, 2)
    assert dict(plain.attributes) == dict(usual.attributes)


def test_long_values_are_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")

    _, plain = begun(sampling.ALWAYS_ON, "recorded")

    assert plain.attributes["db.system.name"] == "mys"
