"""A request that the settings exclude: it is answered without a span, and so is what happens within it."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.asgi import asgi_getter
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.instrumentation.wsgi import wsgi_getter
from opentelemetry.propagators.textmap import Getter

from e2edebug.policy import correlation_id
from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.django_requests.response_body import trace_body

_correlation = CorrelationIdPropagator()


class ExcludedRequest:
    """Suppresses instrumentation for one request: queries made in it would otherwise be traces of their own."""

    def __init__(self, request: Any) -> None:
        """Attach the suppressing context; `request.correlation_id` is set all the same."""
        is_asgi = isinstance(request, ASGIRequest)
        carrier: Any = request.scope if is_asgi else request.META
        getter: Getter[Any] = asgi_getter if is_asgi else wsgi_getter
        context = _correlation.extract(carrier, _suppressed(), getter)
        received = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
        request.correlation_id = received if isinstance(received, str) else correlation_id.new()
        self._context = context
        self._token = otel_context.attach(context)

    def finish(self, response: HttpResponseBase) -> None:
        """Put back the context; a streamed body is produced without spans too."""
        trace_body(response, None, self._context)
        otel_context.detach(self._token)

    def abandon(self, error: BaseException) -> None:
        """Put back the context, unless *error* says that it belongs to somebody else by now."""
        if not isinstance(error, GeneratorExit) or otel_context.get_current() is self._context:
            otel_context.detach(self._token)


def _suppressed() -> Context:
    token = otel_context.attach(Context())
    try:
        with suppress_instrumentation():
            return otel_context.get_current()
    finally:
        otel_context.detach(token)
