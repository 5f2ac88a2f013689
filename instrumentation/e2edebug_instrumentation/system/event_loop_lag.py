"""How late an event loop comes to what is due: what every other request of the process waits for."""

import asyncio
import sys
import weakref
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.self_report import internal_error

TICK_S: Final = 0.5
_ASGI_MODULE: Final = "django.core.handlers.asgi"


class EventLoopLag:
    """Watches each loop in which Django answers a request, by a timer that notes how late it is called."""

    def __init__(self) -> None:
        self._is_active = False
        self._is_hooked = False
        self._watched: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._longest_s = 0.0
        self._ticks = 0

    def start(self) -> None:
        """Begin; loops are found with their first request."""
        self._is_active = True
        if not self._is_hooked:
            self._is_hooked = True
            wrapt.register_post_import_hook(self._when_imported, _ASGI_MODULE)
        elif _ASGI_MODULE in sys.modules:
            self._when_imported(sys.modules[_ASGI_MODULE])

    def stop(self) -> None:
        """End: the timers are not set again."""
        self._is_active = False
        self._watched = weakref.WeakSet()
        module = sys.modules.get(_ASGI_MODULE)
        if module is not None:
            unwrap(module.ASGIHandler, "__call__")

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch *loop* until it is closed. Called from within it."""
        if loop not in self._watched:
            self._watched.add(loop)
            self._set(weakref.ref(loop))

    def take(self) -> float | None:
        """Return the longest lag since the last call, in milliseconds; None while no loop is watched."""
        ticks, self._ticks = self._ticks, 0
        longest, self._longest_s = self._longest_s, 0.0
        return longest * 1000.0 if ticks else None

    def forget(self) -> None:
        """Begin anew in a forked child, which has loops of its own."""
        self._watched = weakref.WeakSet()
        self._longest_s, self._ticks = 0.0, 0

    def _set(self, reference: "weakref.ref[asyncio.AbstractEventLoop]") -> None:
        loop = reference()
        if loop is None or loop.is_closed() or not self._is_active or loop not in self._watched:
            return
        due = loop.time() + TICK_S
        loop.call_at(due, self._tick, reference, due)

    def _tick(self, reference: "weakref.ref[asyncio.AbstractEventLoop]", due: float) -> None:
        loop = reference()
        if loop is None:
            return
        self._ticks += 1
        self._longest_s = max(self._longest_s, loop.time() - due)
        self._set(reference)

    def _when_imported(self, module: Any) -> None:
        if self._is_active and not isinstance(vars(module.ASGIHandler).get("__call__"), wrapt.FunctionWrapper):
            wrapt.wrap_function_wrapper(module.ASGIHandler, "__call__", self._see_request)

    def _see_request(self, wrapped: Any, _handler: Any, args: Any, kwargs: Any) -> Any:
        try:
            self.watch(asyncio.get_running_loop())
        except Exception as error:  # noqa: BLE001 - a request goes on without
            internal_error("watch the event loop", error)
        return wrapped(*args, **kwargs)
