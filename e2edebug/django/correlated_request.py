"""A request that nothing traces has a correlation id all the same: in code, in log lines and in the response."""

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.asgi import asgi_getter
from opentelemetry.instrumentation.wsgi import wsgi_getter

from e2edebug.policy import correlation_id
from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.correlation.response_header import set_correlation_id_header
from e2edebug_instrumentation.django_requests.response_body import trace_body

_propagator = CorrelationIdPropagator()


class CorrelatedRequest:
    """The context of one request, from its beginning until its response, and of the body that is streamed after it."""

    def __init__(self, request: Any, *, response_header: bool) -> None:
        """Take over the id that the request brings, or make one; `request.correlation_id` is set from here on."""
        self._response_header = response_header
        is_asgi = isinstance(request, ASGIRequest)
        before = otel_context.get_current()
        carrier: Any = request.scope if is_asgi else request.META
        getter: Any = asgi_getter if is_asgi else wsgi_getter
        context = _propagator.extract(carrier, before, getter)
        received = otel_context.get_value(correlation_id.CONTEXT_KEY, context)
        self.correlation_id = received if isinstance(received, str) else correlation_id.new()
        self._context = otel_context.set_value(correlation_id.CONTEXT_KEY, self.correlation_id, context)
        request.correlation_id = self.correlation_id
        self._token = otel_context.attach(self._context)

    def finish(self, response: HttpResponseBase) -> None:
        """Tell the client the id; what it is still being sent is produced under the id too."""
        if self._response_header:
            set_correlation_id_header(response, self.correlation_id)
        trace_body(response, None, self._context)
        otel_context.detach(self._token)

    def abandon(self, error: BaseException) -> None:
        """Put back the context, unless *error* says that it belongs to somebody else by now."""
        if not isinstance(error, GeneratorExit) or otel_context.get_current() is self._context:
            otel_context.detach(self._token)
