"""Trace context, baggage and correlation id go to our own services only: they tell third parties whose errand a request
is on, and which requests belong together."""

from typing import Any, Final

from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import SpanKind

from e2edebug_instrumentation.correlation.propagator import BAGGAGE_KEY, HEADER, CorrelationIdPropagator
from e2edebug_instrumentation.outgoing_http.call_guide import current_call
from e2edebug_instrumentation.outgoing_http.own_services import OwnServices

TRACE_HEADERS: Final = ("traceparent", "tracestate", "baggage", HEADER)
"""What may have been put into a request that is redirected to somebody else."""


class GuardedPropagator(TextMapPropagator):
    """Stands before the process's propagators, and lets requests to third parties go without them.

    Where somebody else's instrumentor sends the request, what their set-up sends goes on; ours does not.
    """

    def __init__(self, inner: TextMapPropagator, own_services: OwnServices) -> None:
        self.inner = inner
        self._without_ours = _without_correlation_id(inner)
        self._own_services = own_services

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Return what the process's propagators read."""
        return self.inner.extract(carrier, context, getter)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write what the process's propagators write, unless it would go to a third party."""
        call = current_call()
        if call is not None:
            if call.is_to_own_service:
                self.inner.inject(carrier, context, setter)
        elif self._is_call_of_others_to_third_party(context):
            self._without_ours.inject(carrier, baggage.remove_baggage(BAGGAGE_KEY, context), setter)
        else:
            self.inner.inject(carrier, context, setter)

    @property
    def fields(self) -> set[str]:
        """The headers that the process's propagators write."""
        return self.inner.fields

    def _is_call_of_others_to_third_party(self, context: Context | None) -> bool:
        span: Any = trace.get_current_span(context)
        if getattr(span, "kind", None) is not SpanKind.CLIENT:
            return False
        attributes = getattr(span, "attributes", None) or {}
        url = attributes.get("url.full") or attributes.get("http.url")
        return isinstance(url, str) and not self._own_services.is_ours(url)


def guard(own_services: OwnServices) -> None:
    """Put the guard before the global propagator. Idempotent; a second call brings new rules."""
    release()
    propagate.set_global_textmap(GuardedPropagator(propagate.get_global_textmap(), own_services))


def release() -> None:
    """Take the guard away again, if nobody has put anything before it."""
    current = propagate.get_global_textmap()
    if isinstance(current, GuardedPropagator):
        propagate.set_global_textmap(current.inner)


def strip(headers: Any) -> None:
    """Take our headers out of those of a request that is redirected to a third party; *headers*: a mutable mapping."""
    for name in [name for name in headers if str(name).lower() in TRACE_HEADERS]:
        del headers[name]


def _without_correlation_id(propagator: TextMapPropagator) -> TextMapPropagator:
    if isinstance(propagator, CorrelationIdPropagator):
        return CompositePropagator([])
    if isinstance(propagator, CompositePropagator):
        return CompositePropagator([_without_correlation_id(part) for part in propagator._propagators])
    return propagator
