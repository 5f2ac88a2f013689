"""The two middleware of the app: a correlation id on every request, and what is worth knowing about each.

Both work with the automatic instrumentation and without it, and add nothing twice: what it has done is left as it is.
They belong first in MIDDLEWARE, CorrelationIdMiddleware before DebuggingMiddleware.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http.response import HttpResponseBase

from e2edebug.django.correlated_request import CorrelatedRequest
from e2edebug.django.own_tracing import begin_span, record_unhandled_exceptions
from e2edebug.django.query_counter import count_queries
from e2edebug.django.watched_request import WatchedRequest
from e2edebug.policy.self_report import internal_error
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug_instrumentation.django_requests.request_span import RequestSpan

__all__ = ["CorrelationIdMiddleware", "DebuggingMiddleware"]


class CorrelationIdMiddleware:
    """`request.correlation_id`, the response's X-Correlation-ID, and the id in the log lines of the request."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._response_header = config_in_force().response_header
        self._makes_steps = f"{__name__}.{DebuggingMiddleware.__qualname__}" in settings.MIDDLEWARE
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Return the response to *request*, or what to await for it."""
        if self._is_async:
            return self._answer_async(request)
        correlated = self._begin(request)
        if correlated is None:
            return self._get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = self._get_response(request)
        except BaseException as error:
            correlated.abandon(error)
            raise
        correlated.finish(response)
        return response

    async def _answer_async(self, request: Any) -> HttpResponseBase:
        correlated = self._begin(request)
        if correlated is None:
            return await self._get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = await self._get_response(request)
        except BaseException as error:
            correlated.abandon(error)
            raise
        correlated.finish(response)
        return response

    def _begin(self, request: Any) -> CorrelatedRequest | RequestSpan | None:
        """None: the instrumentation has done all of it. Where it is off, the step is made here, so that it has the id."""
        if "correlation_id" in request.__dict__:
            return None
        span = begin_span(request) if self._makes_steps else None
        return span or CorrelatedRequest(request, response_header=self._response_header)


class DebuggingMiddleware:
    """Size of the response, queries, slowness, templates and the session's user on each request's step.

    Where the automatic instrumentation of requests is off, it makes that step, too.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        count_queries()
        record_unhandled_exceptions()

    def __call__(self, request: Any) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Return the response to *request*, or what to await for it."""
        if self._is_async:
            return self._answer_async(request)
        span = begin_span(request)
        watched = self._watch(request)
        try:
            response: HttpResponseBase = self._get_response(request)
        except BaseException as error:
            if watched is not None:
                watched.abandon()
            if span is not None:
                span.abandon(error)
            raise
        if watched is not None:
            watched.finish(response)
        if span is not None:
            span.finish(response)
        return response

    async def _answer_async(self, request: Any) -> HttpResponseBase:
        span = begin_span(request)
        watched = self._watch(request)
        try:
            response: HttpResponseBase = await self._get_response(request)
        except BaseException as error:
            if watched is not None:
                watched.abandon()
            if span is not None:
                span.abandon(error)
            raise
        if watched is not None:
            watched.finish(response)
        if span is not None:
            span.finish(response)
        return response

    def _watch(self, request: Any) -> WatchedRequest | None:
        if WatchedRequest.of(request) is not None:  # named twice in MIDDLEWARE
            return None
        try:
            return WatchedRequest(request)
        except Exception as error:  # noqa: BLE001 # the request is served unwatched
            internal_error("watch a request", error)
            return None

    def process_template_response(self, request: Any, response: Any) -> Any:
        """Note which template answers."""
        watched = WatchedRequest.of(request)
        if watched is not None:
            watched.note_template(getattr(response, "template_name", None))
        return response

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Note where in a template an exception comes from; whether it is an error shows in the response."""
        watched = WatchedRequest.of(request)
        if watched is not None:
            watched.note_exception(exception)
