"""The correlation id between services: `X-Correlation-ID` in and out, baggage `correlation.id` beside it.

Imported while `opentelemetry.propagate` itself is being imported (it loads the entry points of OTEL_PROPAGATORS), so
this module may import nothing that leads back there: opentelemetry.{context, baggage, trace, propagators.textmap} only.
"""

from typing import Final

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from e2edebug.policy import correlation_id

HEADER: Final = "x-correlation-id"
BAGGAGE_KEY: Final = "correlation.id"


class CorrelationIdPropagator(TextMapPropagator):
    """Reads and writes the correlation id; entry point `e2edebug` (OTEL_PROPAGATORS=tracecontext,baggage,e2edebug).

    Stands after `baggage` in that list, else a value that arrives in baggage alone is not seen.
    """

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Return *context* with the received id, from the header or else from baggage, if either is well-formed.

        No id is invented here (extract runs on any carrier, requests or not), and a malformed one leaves no trace:
        it is also taken out of the baggage, which would hand it on to the next service.
        """
        context = Context() if context is None else context
        in_baggage = baggage.get_baggage(BAGGAGE_KEY, context)
        received = _only_value(getter.get(carrier, HEADER)) or correlation_id.accept(in_baggage)
        if received is not None:
            return with_correlation_id(received, context)
        return context if in_baggage is None else baggage.remove_baggage(BAGGAGE_KEY, context)

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Write the id of *context*, else the one that stands for its trace, into *carrier*; nothing without either."""
        in_context = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
        if isinstance(in_context, str):
            setter.set(carrier, HEADER, in_context)
            return
        span_context = trace.get_current_span(context).get_span_context()
        if span_context.is_valid:
            setter.set(carrier, HEADER, correlation_id.from_trace_id(span_context.trace_id))

    @property
    def fields(self) -> set[str]:
        """The one header this propagator writes."""
        return {HEADER}


def with_correlation_id(value: str, context: Context | None = None) -> Context:
    """Return *context* (default: the current one) under the id *value*, for our spans and, as baggage, for others'."""
    context = otel_context.set_value(correlation_id.CONTEXT_KEY, value, context)
    return baggage.set_baggage(BAGGAGE_KEY, value, context)


def without_correlation_id(context: Context) -> Context:
    """Return *context* as if no id had been received: the trace id stands for the workflow again."""
    context = otel_context.set_value(correlation_id.CONTEXT_KEY, None, context)
    return baggage.remove_baggage(BAGGAGE_KEY, context)


def _only_value(values: list[str] | None) -> str | None:
    # Two different headers name two workflows; which one is meant cannot be known.
    return correlation_id.accept(values[0]) if values is not None and len(values) == 1 else None
