"""For the tests of applications that use e2edebug: what was traced, with ids and times that a test can name.

with e2edebug.testing.capture() as captured:
    client.post("/api/checkout/")
assert captured.tree() == '''
api CheckoutView.post
  database shop_cart SELECT
'''
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from unittest import mock

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from e2edebug.policy import attributes, correlation_id
from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import ErrorRow, RowBatch, StepRow

START_UNIX_NS: Final = 946_684_800_000_000_000
"""2000-01-01 00:00:00 UTC, what the first reading of a TickingClock says."""


class SequentialIds(IdGenerator):
    """Trace ids 1, 2, 3, … and span ids 1, 2, 3, …, in the order in which spans start."""

    def __init__(self) -> None:
        self._trace_ids = itertools.count(1)
        self._span_ids = itertools.count(1)

    def generate_trace_id(self) -> int:
        return next(self._trace_ids)

    def generate_span_id(self) -> int:
        return next(self._span_ids)


class TickingClock:
    """A clock that moves on by one second each time it is read, so that a span without children lasts one second."""

    def __init__(self, start_unix_ns: int = START_UNIX_NS) -> None:
        self._readings = itertools.count(start_unix_ns, 1_000_000_000)

    def time_ns(self) -> int:
        """Return the next second, in nanoseconds since 1970."""
        return next(self._readings)


@dataclass(slots=True)
class InMemoryExporter(SpanExporter):
    """Keeps spans instead of storing them, and shows the rows that they would be."""

    spans: list[ReadableSpan] = field(default_factory=list)
    """In the order in which they ended: children before their parents."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Keep what was exported."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's parameter
        """Nothing waits: return True."""
        return True

    def clear(self) -> None:
        """Forget every span."""
        self.spans.clear()

    def rows(self) -> RowBatch:
        """Return the rows that would be stored: redacted, cut, classified."""
        batch = RowBatch()
        RowMapper(redactor=Redactor()).add_spans(batch, self.spans)
        return batch

    @property
    def steps(self) -> list[StepRow]:
        """The rows of `debugging_trace_step`, in the order in which they started."""
        return sorted(self.rows().steps, key=lambda step: (step.start_time, step.span_id))

    @property
    def errors(self) -> list[ErrorRow]:
        """The rows of `debugging_error_log`; an exception recorded on several spans comes once."""
        return list({error.event_key: error for error in reversed(self.rows().errors)}.values())

    def tree(self) -> str:
        """Return the steps as text, one a line, children indented by two: `layer component operation [status]`.

        Siblings stand in the order in which they started; `completed` is left out.
        """
        steps = self.steps
        known = {step.span_id for step in steps}
        children: dict[str | None, list[StepRow]] = {}
        for step in steps:
            parent = step.parent_span_id if step.parent_span_id in known else None
            children.setdefault(parent, []).append(step)
        return "".join(_lines(children, None, 0))


def _lines(children: dict[str | None, list[StepRow]], parent: str | None, depth: int) -> Iterator[str]:
    for step in children.get(parent, []):
        status = "" if step.status == "completed" else f" [{step.status}]"
        yield f"{'  ' * depth}{step.layer} {step.component} {step.operation}{status}\n"
        yield from _lines(children, step.span_id, depth + 1)


@contextmanager
def capture() -> Iterator[InMemoryExporter]:
    """Collect the spans that end within the block, with sequential ids and a ticking clock.

    Works with the process's tracer provider, and sets one that stores nothing if there is none. What that provider
    exports elsewhere goes on. Blocks may be nested; each sees what ends in it.
    """
    exporter = InMemoryExporter()
    ids, clock = SequentialIds(), TickingClock()
    _collector().exporters.append(exporter)
    try:
        with (
            mock.patch.object(RandomIdGenerator, "generate_trace_id", side_effect=ids.generate_trace_id),
            mock.patch.object(RandomIdGenerator, "generate_span_id", side_effect=ids.generate_span_id),
            mock.patch("opentelemetry.sdk.trace.time_ns", clock.time_ns),
            mock.patch("e2edebug_exporters.recording.span.time_ns", clock.time_ns),
        ):
            yield exporter
    finally:
        _collector().exporters.remove(exporter)


class _Collector(SpanProcessor):
    """Stays with the provider, which cannot give processors up again, and feeds the captures under way."""

    def __init__(self) -> None:
        self.exporters: list[InMemoryExporter] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        carried = context.get_value(correlation_id.CONTEXT_KEY, parent_context)
        if self.exporters and isinstance(carried, str):
            span.set_attribute(attributes.CORRELATION_ID, carried)

    def on_end(self, span: ReadableSpan) -> None:
        for exporter in self.exporters:
            exporter.export([span])


_collectors: dict[int, _Collector] = {}


def _collector() -> _Collector:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    if id(provider) not in _collectors:
        collector = _Collector()
        provider.add_span_processor(collector)
        _collectors[id(provider)] = collector
    return _collectors[id(provider)]
