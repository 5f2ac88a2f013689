"""The correlation id between services."""

import os
import subprocess
import sys

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from e2edebug.policy.correlation_id import CONTEXT_KEY
from e2edebug_instrumentation.correlation.current import current_correlation_id
from e2edebug_instrumentation.correlation.propagator import (
    CorrelationIdPropagator,
    with_correlation_id,
    without_correlation_id,
)

PROPAGATOR = CorrelationIdPropagator()
IN_TRACE = trace.set_span_in_context(
    NonRecordingSpan(SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=TraceFlags(1))), Context()
)


def test_the_header_names_the_workflow_for_spans_and_for_other_services() -> None:
    context = PROPAGATOR.extract({"x-correlation-id": "order-1"}, Context())

    assert otel_context.get_value(CONTEXT_KEY, context) == "order-1"
    assert baggage.get_baggage("correlation.id", context) == "order-1"


def test_the_header_comes_before_the_baggage() -> None:
    context = baggage.set_baggage("correlation.id", "from-baggage", Context())

    assert current_correlation_id(PROPAGATOR.extract({"x-correlation-id": "header"}, context)) == "header"
    assert current_correlation_id(PROPAGATOR.extract({}, context)) == "from-baggage"


@pytest.mark.parametrize("hostile", ["", "a b", "a\r\nb", "a\x1b[0m", "é", "a" * 65, "a" * 100_000, "a,b", "a\n"])
def test_a_malformed_id_is_as_good_as_none_and_is_not_handed_on(hostile: str) -> None:
    in_baggage = baggage.set_baggage("correlation.id", hostile, Context())

    assert PROPAGATOR.extract({"x-correlation-id": hostile}, Context()) == {}
    assert baggage.get_all(PROPAGATOR.extract({}, in_baggage)) == {}


def test_two_different_headers_name_no_workflow() -> None:
    context = PROPAGATOR.extract({"x-correlation-id": ["one", "two"]}, Context())

    assert current_correlation_id(context) is None


def test_extract_invents_nothing() -> None:
    assert PROPAGATOR.extract({}) == {}


def test_what_is_injected_is_the_id_of_the_context_else_of_its_trace() -> None:
    carriers: list[dict[str, str]] = [{}, {}, {}]

    PROPAGATOR.inject(carriers[0], with_correlation_id("order-1", IN_TRACE))
    PROPAGATOR.inject(carriers[1], IN_TRACE)
    PROPAGATOR.inject(carriers[2], Context())

    assert carriers == [
        {"x-correlation-id": "order-1"},
        {"x-correlation-id": "00000000-0000-0000-0000-000000001234"},
        {},
    ]
    assert PROPAGATOR.fields == {"x-correlation-id"}


def test_a_replaced_id_is_gone_from_context_and_baggage() -> None:
    context = without_correlation_id(with_correlation_id("test", IN_TRACE))

    assert current_correlation_id(context) == "00000000-0000-0000-0000-000000001234"
    assert baggage.get_all(context) == {}


def test_there_is_no_current_id_outside_workflows_and_spans() -> None:
    assert current_correlation_id(Context()) is None


def test_the_entry_point_loads_while_opentelemetry_is_being_imported() -> None:
    """opentelemetry.propagate loads it half-imported; a wrong import here kills the application at start."""
    code = (
        "from opentelemetry import context, propagate; from e2edebug.policy.correlation_id import CONTEXT_KEY\n"
        "print(context.get_value(CONTEXT_KEY, propagate.extract({'baggage': 'correlation.id=abc'})))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OTEL_PROPAGATORS": "tracecontext,baggage,e2edebug"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.strip(), done.stderr) == ("abc", "")
