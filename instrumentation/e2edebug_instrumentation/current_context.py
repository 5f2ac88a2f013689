"""The current OpenTelemetry context, for what is asked at every query: its own two calls of Python code are left out."""

from collections.abc import Callable
from typing import Any, Final

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import Span


def _fastest() -> Callable[[], Context]:
    runtime: Any = getattr(otel_context, "_RUNTIME_CONTEXT", None)  # private; without it, as OpenTelemetry does it
    variable: Any = getattr(runtime, "_current_context", None)
    if type(runtime) is not ContextVarsRuntimeContext or variable is None:
        return otel_context.get_current
    fastest: Callable[[], Context] = variable.get
    return fastest


current_context: Final = _fastest()
"""Does what `opentelemetry.context.get_current()` does."""


SPAN_KEY: Final = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""Under which a context has its span."""
_BAGGAGE_KEY: Final = next(iter(baggage.set_baggage("any", "value", Context())))


def context_of(span: Span, name: str, value: str, context: Context) -> Context:
    """Return *context* with *span* as its span, and with *value* under *name* in its baggage."""
    before = context.get(_BAGGAGE_KEY)
    with_value = {**before, name: value} if isinstance(before, dict) else {name: value}
    return Context({**context, _BAGGAGE_KEY: with_value, SPAN_KEY: span})


def _keys() -> tuple[str, ...]:
    token = otel_context.attach(Context())
    try:
        with suppress_instrumentation():
            return tuple(otel_context.get_current())
    finally:
        otel_context.detach(token)


SUPPRESSING: Final = _keys()
"""No spans are wanted in a context that has a true value under one of these keys: suppress_instrumentation() sets them."""
