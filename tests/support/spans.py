"""Spans made by hand, with ids and times that a test can name."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

START_UNIX_NS = 1_790_000_000_123_456_000
"""2026-09-21 14:13:20.123456 UTC."""

RESOURCE = Resource({"service.name": "shop", "service.version": "1.4.2", "service.instance.id": "test-instance"})


class EndedSpans(SpanProcessor):
    """Keeps what has ended, as a provider hands it over."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def make_span(
    name: str = "work",
    *,
    trace_id: int = 1,
    span_id: int = 2,
    parent: int | None = None,
    parent_is_remote: bool = False,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, Any] | None = None,
    events: Sequence[Event] = (),
    links: Sequence[Link] = (),
    start_unix_ns: int = START_UNIX_NS,
    end_unix_ns: int | None = START_UNIX_NS + 2_500_000,
    status: Status | StatusCode | None = None,
    resource: Resource = RESOURCE,
    scope: str = "test",
) -> ReadableSpan:
    """Return an ended span of 2.5 ms; `end_unix_ns=None` makes one that has only started."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    return ReadableSpan(
        name=name,
        context=SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags),
        parent=None if parent is None else SpanContext(trace_id, parent, is_remote=parent_is_remote, trace_flags=flags),
        resource=resource,
        attributes=dict(attributes or {}),
        events=tuple(events),
        links=tuple(links),
        kind=kind,
        status=status if isinstance(status, Status) else Status(status or StatusCode.UNSET),
        start_time=start_unix_ns,
        end_time=end_unix_ns,
        instrumentation_scope=InstrumentationScope(scope),
    )


def exception_event(error: BaseException, *, timestamp_unix_ns: int = START_UNIX_NS + 1_000_000) -> Event:
    """Return the event that the SDK records for *error*, with its real stack."""
    import traceback

    return Event(
        "exception",
        {
            "exception.type": f"{type(error).__module__}.{type(error).__qualname__}"
            if type(error).__module__ != "builtins"
            else type(error).__qualname__,
            "exception.message": str(error),
            "exception.stacktrace": "".join(traceback.format_exception(error)),
            "exception.escaped": "False",
        },
        timestamp_unix_ns,
    )
