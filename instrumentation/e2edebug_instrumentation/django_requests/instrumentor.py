"""Switches the tracing of Django requests on and off, wherever in a program's start that happens.

Nothing here imports Django, or so much as looks at its settings, before Django itself builds its chain of middleware.
That is the one moment when settings are complete by definition, so `instrument()` may stand in manage.py, wsgi.py,
asgi.py, at the top or the bottom of settings.py, before DJANGO_SETTINGS_MODULE is set, or in a program without Django.
"""

import gc
import logging
import sys
from collections.abc import Collection
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import TracerProvider

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.django_requests.options import RequestOptions

_HANDLERS = "django.core.handlers.base"
_logger = logging.getLogger("e2edebug")


# OpenTelemetry tells type checkers to ignore the whole module of BaseInstrumentor.
class DjangoRequestInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Traces every request that a Django handler answers; a singleton, idempotent, undone by uninstrument().

    instrument() takes `config` (a policy Config) and, before it, each field of RequestOptions by name; also
    `tracer_provider`, and `meter_provider` for the stock instrumentor's own metrics (none by default: durations come
    from spans).
    """

    _is_active = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without Django the instrumentor waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._options = RequestOptions.from_arguments(kwargs.get("config"), kwargs)
        self._tracer_provider: TracerProvider | None = kwargs.get("tracer_provider")
        self._meter_provider: MeterProvider = kwargs.get("meter_provider") or NoOpMeterProvider()
        self._is_active = True
        if not DjangoRequestInstrumentor._is_hooked:
            # A hook for an import cannot be taken back, so there is one per process and it asks whether it is wanted.
            DjangoRequestInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_handlers_are_imported, _HANDLERS)
        elif _HANDLERS in sys.modules:
            self._when_handlers_are_imported(sys.modules[_HANDLERS])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        handlers = sys.modules.get(_HANDLERS)
        if handlers is None:
            return
        unwrap(handlers.BaseHandler, "load_middleware")
        from e2edebug_instrumentation.django_requests.activation import deactivate

        deactivate()

    def _when_handlers_are_imported(self, handlers: ModuleType) -> None:
        if not self._is_active:
            return
        wrapt.wrap_function_wrapper(handlers.BaseHandler, "load_middleware", self._load_middleware)
        loaded = _loaded_handlers(handlers.BaseHandler)
        if loaded:
            self._activate()
            from e2edebug_instrumentation.django_requests.activation import wrap_loaded

            for handler in loaded:
                wrap_loaded(handler)
            _logger.info(
                "e2edebug was imported after Django had loaded its middleware (after get_wsgi_application() or "
                "get_asgi_application()): requests are traced from now on; import it earlier to trace them all."
            )

    def _load_middleware(self, wrapped: Any, handler: Any, args: Any, kwargs: Any) -> Any:
        if self._is_active:
            self._activate()
        result = wrapped(*args, **kwargs)
        if self._is_active:
            from e2edebug_instrumentation.django_requests.activation import see_exceptions_first

            see_exceptions_first(handler)
        return result

    def _activate(self) -> None:
        try:
            from e2edebug_instrumentation.django_requests.activation import activate

            activate(self._options, self._tracer_provider, self._meter_provider)
        except Exception as error:  # noqa: BLE001 - Django is about to build its middleware and must get on with that
            internal_error("trace the requests of this Django", error)


def _loaded_handlers(base_handler: type) -> list[Any]:
    """Return the handlers that already have their middleware. Only called when Django came first."""
    # By type(), not isinstance(): that asks __class__, which makes every lazy object of the host evaluate itself.
    return [
        found
        for found in gc.get_objects()
        if issubclass(type(found), base_handler) and found._middleware_chain is not None
    ]
