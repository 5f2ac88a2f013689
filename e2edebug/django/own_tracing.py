"""The span of a request where the automatic instrumentation of requests is off: DebuggingMiddleware makes it then."""

import sys
from typing import Any

from django.core import signals
from opentelemetry import trace

from e2edebug.policy.self_report import internal_error
from e2edebug.runtime import lifecycle
from e2edebug_instrumentation.django_requests.middleware import RequestMiddleware
from e2edebug_instrumentation.django_requests.options import RequestOptions
from e2edebug_instrumentation.django_requests.request_span import RequestSpan
from e2edebug_instrumentation.django_requests.request_tracing import RequestTracing

_tracing: RequestTracing | None = None


def begin_span(request: Any) -> RequestSpan | None:
    """Start the span of *request*; None where there is one, or where there shall be none."""
    if RequestMiddleware.tracing is not None or RequestSpan.of(request) is not None or lifecycle.current() is None:
        return None
    try:
        tracing = _tracing_of_ours()
        return None if tracing.excludes(request) else RequestSpan(tracing, request)
    except Exception as error:  # noqa: BLE001 # the edge to the host: the request is served untraced
        internal_error("start the span of a request", error)
        return None


def record_unhandled_exceptions() -> None:
    """Put what views and middleware raise on the spans begun here. Idempotent."""
    signals.got_request_exception.connect(_record_unhandled, dispatch_uid="e2edebug DebuggingMiddleware")


def _tracing_of_ours() -> RequestTracing:
    global _tracing
    if _tracing is None:
        options = RequestOptions.from_arguments(lifecycle.config_in_force(), {})
        _tracing = RequestTracing.after_stock(options, trace.get_tracer("e2edebug.django"))
    return _tracing


def _record_unhandled(request: Any = None, **_: Any) -> None:
    error = sys.exc_info()[1]
    traced = RequestSpan.of(request) if request is not None else None
    if traced is not None and error is not None:
        traced.record_exception(error)
