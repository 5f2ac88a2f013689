"""Whether a request brings anything that the process's propagators would read: most requests of a browser do not."""

from collections.abc import Mapping
from typing import Any

from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.outgoing_http.guarded_propagation import GuardedPropagator

_known: tuple[TextMapPropagator | None, frozenset[str] | None] = (None, None)


def brings_context(environ: Mapping[str, Any]) -> bool:
    """Return whether *environ* (of WSGI) may hold a trace, baggage or a correlation id; True where it cannot be told."""
    global _known
    propagator = propagate.get_global_textmap()
    known, keys = _known
    if known is not propagator:
        keys = _keys_of(propagator)
        _known = propagator, keys
    return keys is None or not keys.isdisjoint(environ)


def _keys_of(propagator: TextMapPropagator) -> frozenset[str] | None:
    """Return what *propagator* looks at, and our own, which is asked in any case; None for one that we do not know."""
    # Exactly these classes: `fields` names what a propagator writes, not what it reads, and a subclass may read more.
    kind = type(propagator)
    if isinstance(propagator, GuardedPropagator):
        return _keys_of(propagator.inner)
    if kind is TraceContextTextMapPropagator:  # a tracestate without a traceparent says nothing
        return _OURS | {"HTTP_TRACEPARENT"}
    if kind is W3CBaggagePropagator:
        return _OURS | {"HTTP_BAGGAGE"}
    if kind is CorrelationIdPropagator:
        return _OURS
    if isinstance(propagator, CompositePropagator) and kind is CompositePropagator:
        keys = _OURS
        for part in propagator._propagators:
            more = _keys_of(part)
            if more is None:
                return None
            keys |= more
        return keys
    return None


_OURS = frozenset(("HTTP_X_CORRELATION_ID",))
