"""Puts our middleware in front of Django's, by way of OpenTelemetry's Django instrumentor. Imports Django."""

import sys
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import signals
from django.core.handlers.exception import convert_exception_to_response
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from e2edebug_instrumentation.django_requests.middleware import RequestMiddleware
from e2edebug_instrumentation.django_requests.options import RequestOptions
from e2edebug_instrumentation.django_requests.request_span import RequestSpan
from e2edebug_instrumentation.django_requests.request_tracing import RequestTracing

MIDDLEWARE_PATH = f"{RequestMiddleware.__module__}.{RequestMiddleware.__qualname__}"
_stock: Any = _DjangoMiddleware  # its configuration is kept in unannotated class attributes
_STOCK_PATH: str = DjangoInstrumentor._opentelemetry_middleware


class _StockInstrumentor(DjangoInstrumentor):
    """The stock instrumentor with our middleware in its place: it chooses tracer, conventions and exclusions."""

    _instance = None
    _is_instrumented_by_opentelemetry = False
    _opentelemetry_middleware = MIDDLEWARE_PATH


def activate(options: RequestOptions, tracer_provider: TracerProvider | None, meter_provider: MeterProvider) -> None:
    """Make sure that `settings.MIDDLEWARE` begins with ours. Called each time that Django is about to load it.

    Where OpenTelemetry's middleware already stands in the list (opentelemetry-instrument put it there, or the project),
    ours takes its place and keeps its configuration, hooks and all: two of them would be two spans for each request.
    """
    if RequestMiddleware.tracing is None:
        if _STOCK_PATH not in settings.MIDDLEWARE or _stock._tracer is None:
            # A DjangoInstrumentor that ran too early to reach the settings has left its hooks in these attributes.
            keeps_hooks = DjangoInstrumentor().is_instrumented_by_opentelemetry
            _StockInstrumentor().instrument(
                tracer_provider=tracer_provider,
                meter_provider=meter_provider,
                request_hook=_stock._otel_request_hook if keeps_hooks else None,
                response_hook=_stock._otel_response_hook if keeps_hooks else None,
                skip_dep_check=True,
            )
        if _stock._tracer is None:
            return  # OTEL_PYTHON_DJANGO_INSTRUMENT=False: OpenTelemetry's own word for "not this one"
        RequestMiddleware.tracing = RequestTracing.after_stock(options, _stock._tracer)
        signals.got_request_exception.connect(_record_unhandled, dispatch_uid=MIDDLEWARE_PATH)
    others = [path for path in settings.MIDDLEWARE if path not in (MIDDLEWARE_PATH, _STOCK_PATH)]
    # A new list: the one in the settings may be shared with other settings (override_settings, a base module).
    settings.MIDDLEWARE = [MIDDLEWARE_PATH, *others]


def deactivate() -> None:
    """Take ours out again; handlers that have it already pass requests through it untouched."""
    RequestMiddleware.tracing = None
    signals.got_request_exception.disconnect(dispatch_uid=MIDDLEWARE_PATH)
    stock = _StockInstrumentor()
    if stock.is_instrumented_by_opentelemetry:
        stock.uninstrument()
    if settings.configured and MIDDLEWARE_PATH in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if path != MIDDLEWARE_PATH]


def wrap_loaded(handler: Any) -> None:
    """Put ours around the middleware that *handler* has loaded before."""
    chain = handler._middleware_chain
    ours = RequestMiddleware(chain)
    handler._middleware_chain = convert_exception_to_response(ours)
    handler._exception_middleware.insert(0, ours.process_exception)
    assert iscoroutinefunction(handler._middleware_chain) is iscoroutinefunction(chain)


def see_exceptions_first(handler: Any) -> None:
    """Move our process_exception() before the host's: the first that answers ends the round."""
    methods = handler._exception_middleware
    methods.sort(key=lambda method: not isinstance(getattr(method, "__self__", None), RequestMiddleware))


def _record_unhandled(request: Any = None, **_: Any) -> None:
    error = sys.exc_info()[1]
    traced = RequestSpan.of(request) if request is not None else None
    if traced is not None and error is not None:
        traced.record_exception(error)
