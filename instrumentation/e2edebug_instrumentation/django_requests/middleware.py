"""Django's door: the outermost middleware, where each request's span begins and ends."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http.response import HttpResponseBase

from e2edebug.policy import correlation_id
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.django_requests.excluded_request import ExcludedRequest
from e2edebug_instrumentation.django_requests.request_span import RequestSpan
from e2edebug_instrumentation.django_requests.request_tracing import RequestTracing


class RequestMiddleware:
    """Traces requests while `tracing` is set; stands where OpenTelemetry's own middleware would.

    That one is synchronous only: under ASGI each request pays two thread switches for it, and a client that goes away
    leaves its span open and its context attached, because its process_response() never runs.
    """

    sync_capable = True
    async_capable = True
    tracing: ClassVar[RequestTracing | None] = None

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Return the response to *request*, or what to await for it."""
        if self._is_async:
            return self._answer_async(request)
        traced = self._begin(request)
        if traced is None:
            return self._get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = self._get_response(request)
        except BaseException as error:
            traced.abandon(error)
            raise
        traced.finish(response)
        return response

    async def _answer_async(self, request: Any) -> HttpResponseBase:
        traced = self._begin(request)
        if traced is None:
            return await self._get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = await self._get_response(request)
        except BaseException as error:
            traced.abandon(error)
            raise
        traced.finish(response)
        return response

    def _begin(self, request: Any) -> RequestSpan | ExcludedRequest | None:
        tracing = self.tracing
        # Already traced: a handler that was wrapped when it was found, and a list of middleware that names us too.
        if tracing is None or RequestSpan.of(request) is not None:
            return None
        try:
            return ExcludedRequest(request) if tracing.excludes(request) else RequestSpan(tracing, request)
        except Exception as error:  # noqa: BLE001 - the edge to the host: the request is served untraced
            request.correlation_id = correlation_id.new()  # promised to the host's code on every request
            internal_error("start the span of a request", error)
            return None

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Take note of what a view raised; whether it is an error shows in the response (see RequestSpan)."""
        traced = RequestSpan.of(request)
        if traced is not None:
            traced.passed_exception = exception
