"""What the host's thread pays inside our own code: for a span from its start to its end, and for an error that it logs.

A span that a test hands to a pipeline is recorded once more as an application would record it, by our tracer with our
processor, and what the processor hands over at its end is the test's own span, to the test's own pipeline. So every test
measures the whole of what its host calls, in the state that its pipeline is in, and stores what it always stored.

Processor time is what counts. The time by the clock says in addition that nothing waits.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan

from e2edebug.policy.runtime_configuration import UNCHANGED, RuntimeConfiguration
from e2edebug_exporters.log_processor import LogPipelineProcessor
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import RecordingTracerProvider
from e2edebug_exporters.span_metrics import SpanMetrics
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from e2edebug_instrumentation.logs import told_errors
from e2edebug_instrumentation.logs.instrumentor import LoggingInstrumentor

CALLS_FILE: Final = "E2EDEBUG_TEST_HOST_CALLS"
"""The variable that names the file into which child processes write what they measured."""
_LOGGED_ONCE_IN: Final = 2
"""Spans."""
_CONTROL_STEPS: Final = 3000
"""Some 0.1 ms, as long as an error takes at the median."""


_Kind = Literal["span", "error", "first span", "first error", "control"]
_FIRST: Final[dict[Literal["span", "error"], _Kind]] = {"span": "first span", "error": "first error"}
_done: Final[set[str]] = set()
"""Of which kinds this process has had its first call."""
os.register_at_fork(after_in_child=_done.clear)


class HostCall(NamedTuple):
    """One span, or one logged error; or the control: a loop that takes as long as an error, and none of our code.

    The machine's other guests take from all of them alike, and the kernel counts that as processor time of the thread.
    The first of a process are kinds of their own: they compile patterns and read source files or, after a fork, copy the
    pages that they touch.
    """

    kind: _Kind
    cpu_ms: float
    wall_ms: float


class _Ids(RandomIdGenerator):
    """Gives a trace and a span the ids that the test's span has."""

    def __init__(self) -> None:
        self.of_thread = threading.local()

    def generate_trace_id(self) -> int:
        return int(self.of_thread.trace_id)

    def generate_span_id(self) -> int:
        return int(self.of_thread.span_id)


class _Handover:
    """Stands before a pipeline: what comes is measured up to here, and then handed to the pipeline of the thread's call."""

    def __init__(self, configuration: RuntimeConfiguration) -> None:
        self.configuration = configuration
        self.span_metrics = SpanMetrics()  # of its own: the test's pipeline stores the durations of the test's spans
        self.of_thread = threading.local()

    def put_span(self, _: ReadableSpan) -> None:
        hand_over, self.of_thread.hand_over = self.of_thread.hand_over, None
        hand_over()

    def put_log(self, record: Any) -> None:
        """Measure what leads to here; the rest is as with a span."""


class HostCalls:
    """Measures what one pipeline costs its host.

    configuration: the pipeline's, in which an operator may have switched off something.
    """

    def __init__(self, note: Callable[[HostCall], None], configuration: RuntimeConfiguration = UNCHANGED) -> None:
        self._note = note
        self._number = 0
        self._handover: Any = _Handover(configuration)
        self._ids = _Ids()
        provider = RecordingTracerProvider(ALWAYS_ON, Resource.get_empty())
        provider.id_generator = self._ids
        provider.add_span_processor(SpanPipelineProcessor(self._handover))
        self._tracer = provider.get_tracer("host")
        logs = LoggerProvider(Resource.get_empty(), shutdown_on_exit=False)
        logs.add_log_record_processor(LogPipelineProcessor(self._handover))
        self._otel_logger = logs.get_logger("host")
        self._logger = logging.Logger("host")  # of no tree: nobody else is to hear of it
        self._instrumentor: Any = object.__new__(LoggingInstrumentor)  # else the one there is would be changed
        self._instrumentor._error_level = logging.ERROR

    def span(self, span: ReadableSpan, hand_over: Callable[[], None]) -> None:
        """Record *span* as an application does; at its end call *hand_over*. Every few times log an error beside it."""
        self._number += 1
        if self._number % _LOGGED_ONCE_IN == 0:
            self._logged_error()
            self._control()
        attributes = list((span.attributes or {}).items())
        context = Context() if span.parent is None else trace.set_span_in_context(NonRecordingSpan(span.parent))
        self._ids.of_thread.trace_id, self._ids.of_thread.span_id = span.context.trace_id, span.context.span_id
        self._handover.of_thread.hand_over = hand_over

        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        recorded = self._tracer.start_span(
            span.name, context, span.kind, dict(attributes[:4]), span.links, start_time=span.start_time
        )
        for key, value in attributes[4:]:
            recorded.set_attribute(key, value)
        for event in span.events:
            recorded.add_event(event.name, event.attributes, event.timestamp)
        recorded.set_status(span.status)
        recorded.end(span.end_time)
        self._noted("span", wall, cpu)
        if self._handover.of_thread.hand_over is not None:  # an id that is none: such a span is not recorded
            hand_over()

    def _logged_error(self) -> None:
        try:
            raise LookupError(f"no such cart: {self._number}")
        except LookupError as error:
            found = (type(error), error, error.__traceback__)
        record = self._logger.makeRecord("host", logging.ERROR, __file__, 1, "checkout of %d failed", (7,), found)
        told_errors._loggers["host"] = self._otel_logger
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        self._instrumentor._capture(self._logger, record)
        self._noted("error", wall, cpu)

    def _control(self) -> None:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        total = 0
        for number in range(_CONTROL_STEPS):
            total += number
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        self._note(HostCall("control", cpu / 1e6, wall / 1e6))

    def _noted(self, kind: Literal["span", "error"], wall: int, cpu: int) -> None:
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        self._note(HostCall(kind if kind in _done else _FIRST[kind], cpu / 1e6, wall / 1e6))
        _done.add(kind)


def put_as_a_host(note: Callable[[HostCall], None]) -> Callable[[Pipeline, ReadableSpan], None]:
    """Return what to put in the place of `Pipeline.put_span`: it measures what it takes a host to come that far."""
    put_span = Pipeline.put_span

    def watched_put(self: Pipeline, span: ReadableSpan) -> None:
        calls = self.__dict__.get("_host_calls_of_test")
        if calls is None:
            calls = self.__dict__["_host_calls_of_test"] = HostCalls(note, self.configuration)
        calls.span(span, lambda: put_span(self, span))

    return watched_put


def measure_in_this_process() -> None:
    """Measure in a child process of a test, and write each call into the file that the test named."""
    fd = os.open(os.environ[CALLS_FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(call: HostCall) -> None:
        os.write(fd, f"{call.kind},{call.cpu_ms:.6f},{call.wall_ms:.6f}\n".encode())

    Pipeline.put_span = put_as_a_host(note)  # type: ignore[method-assign]


def read_calls(text: str) -> list[HostCall]:
    """Return what children wrote; the last line of one that was killed may be cut off."""
    calls = []
    for line in text.splitlines():
        kind, _, figures = line.partition(",")
        cpu_ms, _, wall_ms = figures.partition(",")
        if kind in get_args(_Kind) and wall_ms:
            calls.append(HostCall(kind, float(cpu_ms), float(wall_ms)))  # type: ignore[arg-type] # one of these
    return calls
