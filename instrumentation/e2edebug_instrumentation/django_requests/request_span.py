"""One request's server span, from its first middleware until the response's headers are known."""

from functools import lru_cache
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http.response import HttpResponseBase
from opentelemetry import context as otel_context
from opentelemetry.instrumentation import asgi, propagators
from opentelemetry.instrumentation.asgi import asgi_getter
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.instrumentation.wsgi import wsgi_getter
from opentelemetry.util.http import (
    SanitizeValue,
    normalise_request_header_name,
    normalise_response_header_name,
    sanitize_method,
)

from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.route_text import readable_route
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.correlation.propagator import BAGGAGE_KEY
from e2edebug_instrumentation.correlation.response_header import set_correlation_id_header
from e2edebug_instrumentation.current_context import context_of
from e2edebug_instrumentation.django_requests.environ_attributes import METHODS
from e2edebug_instrumentation.django_requests.exception_event import failed_with, record_exception
from e2edebug_instrumentation.django_requests.interruption import describe_interruption
from e2edebug_instrumentation.django_requests.parent_context import parent_of
from e2edebug_instrumentation.django_requests.request_attributes import request_attributes
from e2edebug_instrumentation.django_requests.request_tracing import RequestTracing
from e2edebug_instrumentation.django_requests.request_user import session_attributes, user_attributes
from e2edebug_instrumentation.django_requests.response_body import trace_body
from e2edebug_instrumentation.django_requests.view_names import component_and_operation

# None of them has annotations.
_stock: Any = _DjangoMiddleware
_set_status_code: Any = asgi.set_status_code
_get_response_propagator: Any = propagators.get_global_response_propagator

# Routes are the project's own, and few.
_readable_route = lru_cache(1024)(readable_route)

_REQUEST_KEY = "_e2edebug_request_span"
"""Where a request keeps its RequestSpan; HttpRequest has no slots."""


class RequestSpan:
    """The server span of one request and the OpenTelemetry context in which the request is worked on.

    Exactly one of finish() and abandon() ends it, in the thread or task that began it. Neither raises, and both put
    back the context that was there before.
    """

    def __init__(self, tracing: RequestTracing, request: Any) -> None:
        """Start the span of *request* and attach its context; `request.correlation_id` is set from here on."""
        self._tracing = tracing
        self._request = request
        self._recorded: list[BaseException] = []
        self._is_withdrawn = False
        self.passed_exception: BaseException | None = None
        """What the view raised, while it is not known whether anybody answers it."""
        self._method = request.method if request.method in METHODS else sanitize_method(request.method.strip())
        options = tracing.options
        is_asgi = isinstance(request, ASGIRequest)
        parent = parent_of(
            request,
            request.scope if is_asgi else request.META,
            asgi_getter if is_asgi else wsgi_getter,
            trust_incoming_trace=options.trust_incoming_trace,
            id_reuse=tracing.id_reuse,
        )
        received = parent.context.get(correlation_id.CONTEXT_KEY)
        attributes = self._starting_attributes()
        if isinstance(received, str):
            # On the request's own span also where an SDK of somebody else runs, without our span processor.
            attributes[names.CORRELATION_ID] = received
        elif parent.replaced_correlation_id is not None:
            attributes[names.CORRELATION_ID_RECEIVED] = parent.replaced_correlation_id
        self._span = tracing.tracer.start_span(
            # The route is not resolved yet: resolving it here, as the stock middleware does, costs a second resolve()
            # and uses the wrong urlconf where a middleware sets request.urlconf.
            self._method if self._method != "_OTHER" else "HTTP",
            context=parent.context,
            kind=parent.kind,
            attributes=attributes,
            links=parent.links,
        )
        self.correlation_id = received if isinstance(received, str) else self._id_without_one()
        self._context = context_of(self._span, BAGGAGE_KEY, self.correlation_id, parent.context)
        request.correlation_id = self.correlation_id
        request.__dict__[_REQUEST_KEY] = self
        self._token = otel_context.attach(self._context)
        if _stock._otel_request_hook is not None:
            self._call_hook("_otel_request_hook", request)

    @staticmethod
    def of(request: Any) -> "RequestSpan | None":
        """Return the span of *request*, None for a request that is not traced."""
        found = request.__dict__.get(_REQUEST_KEY)
        return found if isinstance(found, RequestSpan) else None

    def record_exception(self, error: BaseException) -> None:
        """Add *error* to the span, once, however many layers report it."""
        if not any(error is known for known in self._recorded):
            self._recorded.append(error)
            record_exception(self._span, error)

    def withdraw(self) -> None:
        """Let the request leave no span: it only brought telemetry, and would bury what it brought under itself."""
        self._is_withdrawn = True

    def finish(self, response: HttpResponseBase) -> None:
        """End the span with what *response* says; a streamed body goes on in a child span `stream`."""
        tracing = self._tracing
        try:
            if tracing.options.response_header:
                set_correlation_id_header(response, self.correlation_id)
            if self._span.is_recording():
                self._describe_response(response)
            if getattr(response, "streaming", True):  # which not every class of responses says
                trace_body(response, tracing.tracer, self._context, component=self._view_names()[0])
            propagator = _get_response_propagator()
            if propagator is not None:
                propagator.inject(response)
            if _stock._otel_response_hook is not None:
                self._call_hook("_otel_response_hook", self._request, response)
        except Exception as error:  # noqa: BLE001 - the edge to the host: its response is ready and must go out
            internal_error("describe a response", error)
        finally:
            self._end()
            detach(self._token)

    def abandon(self, error: BaseException) -> None:
        """End the span of a request that *error* took away: the client is gone, or the worker is about to be."""
        try:
            if self._span.is_recording():
                self._describe_request({})
                describe_interruption(self._span, error)
        except Exception as fault:  # noqa: BLE001 - the host's own exception is on its way and must stay what it is
            internal_error("describe an interrupted request", fault)
        finally:
            self._end()
            # A coroutine that is thrown away unfinished gets its GeneratorExit in whatever context collects it.
            if not isinstance(error, GeneratorExit) or otel_context.get_current() is self._context:
                detach(self._token)

    def _end(self) -> None:
        # The request and this hold each other: cut, or each request (upload and all) waits for the cycle collector.
        self._request.__dict__.pop(_REQUEST_KEY, None)
        self._recorded.clear()
        self.passed_exception = None
        if not self._is_withdrawn:  # one that never ends reaches no processor
            self._span.end()

    def _id_without_one(self) -> str:
        span_context = self._span.get_span_context()
        return correlation_id.from_trace_id(span_context.trace_id) if span_context.is_valid else correlation_id.new()

    def _starting_attributes(self) -> dict[str, Any]:
        request, tracing = self._request, self._tracing
        try:
            attributes = request_attributes(
                request, tracing.semconv_mode, capture_client_address=tracing.options.capture_client_address
            )
            if tracing.captured_request_headers:
                attributes.update(
                    SanitizeValue(tracing.sanitized_headers).sanitize_header_values(
                        dict(request.headers), tracing.captured_request_headers, normalise_request_header_name
                    )
                )
            for name in _DjangoMiddleware._traced_request_attrs:
                if (value := getattr(request, name, None)) is not None:
                    attributes[name] = str(value)
        except Exception as error:  # noqa: BLE001 - a server's odd environ must not cost the request, nor its span
            internal_error("read a request", error)
            return {"http.request.method": self._method, names.REQUEST_PATH: request.path}
        return attributes

    def _view_names(self) -> tuple[str, str]:
        match = getattr(self._request, "resolver_match", None)
        return component_and_operation(match.func, self._method) if match is not None else ("", "")

    def _describe_response(self, response: HttpResponseBase) -> None:
        span, tracing, status_code = self._span, self._tracing, response.status_code
        attributes: dict[str, Any] = {}
        if type(status_code) is int and 100 <= status_code < 500:
            for name in tracing.status_names:
                attributes[name] = status_code
        else:
            # Sets ERROR from 500 on; Http404, PermissionDenied and their like become 4xx and are not errors of ours.
            _set_status_code(span, status_code, sem_conv_opt_in_mode=tracing.semconv_mode)
        if status_code >= 500:
            if not self._recorded and self.passed_exception is not None:
                # A process_exception() middleware of the host answered it, so Django did not report it.
                self.record_exception(self.passed_exception)
            if self._recorded:
                span.set_status(failed_with(self._recorded[0]))
        self._describe_request(attributes)
        if tracing.captured_response_headers:
            span.set_attributes(
                SanitizeValue(tracing.sanitized_headers).sanitize_header_values(
                    dict(response.items()), tracing.captured_response_headers, normalise_response_header_name
                )
            )

    def _describe_request(self, attributes: dict[str, Any]) -> None:
        """Say *attributes*, and what is known of the request only once it has been worked on: its view and its user."""
        component, operation = self._view_names()
        if component:
            attributes[names.COMPONENT], attributes[names.OPERATION] = component, operation
            route = _readable_route(getattr(self._request.resolver_match, "route", None) or "")
            if route:
                attributes["http.route"] = route
                self._span.update_name(f"{self._method} {route}")
        try:
            attributes.update(user_attributes(self._request))
            attributes.update(session_attributes(self._request))
        except Exception as error:  # noqa: BLE001 - user classes and session backends of the host
            internal_error("read the user of a request", error)
        self._span.set_attributes(attributes)

    def _call_hook(self, name: str, *arguments: Any) -> None:
        """Call the hook that somebody gave to OpenTelemetry's own Django instrumentor."""
        hook = getattr(_DjangoMiddleware, name)
        if hook is None:
            return
        try:
            hook(self._span, *arguments)
        except Exception as error:  # noqa: BLE001 - a hook of the host; the request goes on without it
            internal_error(f"call a {name.removeprefix('_otel_')}", error)
