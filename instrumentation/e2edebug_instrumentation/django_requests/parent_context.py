"""Which trace and which workflow a request belongs to, decided before its span starts."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind

from e2edebug.policy import correlation_id
from e2edebug_instrumentation.correlation.id_reuse import IdReuse
from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator, without_correlation_id
from e2edebug_instrumentation.current_context import SPAN_KEY, current_context
from e2edebug_instrumentation.django_requests.incoming_headers import brings_context

_correlation = CorrelationIdPropagator()


@dataclass(frozen=True, slots=True)
class Parent:
    """What a request's span starts from."""

    context: Context
    kind: SpanKind
    links: tuple[Link, ...] = ()
    replaced_correlation_id: str | None = None
    """The id that a client sent for too many traces; context is without it."""


def parent_of(
    request: Any, carrier: Any, getter: Getter[Any], *, trust_incoming_trace: bool, id_reuse: IdReuse
) -> Parent:
    """Return the parent of *request*'s span, from its own headers alone.

    Whatever earlier work left attached on this thread is not part of it: one leaked span would otherwise adopt every
    later request of the thread. The one exception is a server span that describes this very request, made by
    OpenTelemetry's WSGI or ASGI middleware around Django.
    """
    enclosing = current_context().get(SPAN_KEY)
    environ: Any = getattr(request, "environ", None)  # an ASGI request has none
    if enclosing is None and trust_incoming_trace and carrier is environ and not brings_context(environ):
        return _ROOT
    if isinstance(enclosing, Span) and _describes(enclosing, request):
        context, kind = otel_context.get_current(), SpanKind.INTERNAL
    else:
        context, kind = propagate.extract(carrier, Context(), getter), SpanKind.SERVER
    links: tuple[Link, ...] = ()
    if otel_context.get_value(correlation_id.CONTEXT_KEY, context) is None:
        # OTEL_PROPAGATORS may not name ours, and the id must arrive all the same.
        context = _correlation.extract(carrier, context, getter)
    incoming = trace.get_current_span(context).get_span_context()
    if kind is SpanKind.SERVER and not trust_incoming_trace:
        context = _only_correlation_of(context)
        if incoming.is_valid:
            links = (Link(incoming),)
    received = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
    if isinstance(received, str) and not id_reuse.admits(received, incoming.trace_id):
        return Parent(without_correlation_id(context), kind, links, received)
    return Parent(context, kind, links)


_ROOT: Final = Parent(Context(), SpanKind.SERVER)


def _only_correlation_of(context: Context) -> Context:
    """A caller that is not trusted names its workflow, nothing else: no trace, no baggage for the services behind us."""
    received = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
    fresh = trace.set_span_in_context(NonRecordingSpan(trace.INVALID_SPAN_CONTEXT), Context())
    return fresh if received is None else otel_context.set_value(correlation_id.CONTEXT_KEY, received, fresh)


def _describes(span: Span, request: Any) -> bool:
    if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.SERVER:
        return False
    attributes = getattr(span, "attributes", None) or {}
    method = attributes.get("http.request.method") or attributes.get("http.method")
    target = attributes.get("url.path") or attributes.get("http.target") or attributes.get("http.url")
    if method != request.method or not isinstance(target, str):
        return False
    return unquote(urlsplit(target).path) in (request.path, request.path_info)
