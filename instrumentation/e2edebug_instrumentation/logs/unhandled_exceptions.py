"""Exceptions that nobody catches: in the main thread, in other threads, in tasks of asyncio."""

import asyncio
import functools
import sys
import threading
import time
from asyncio import base_events
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.logs.told_errors import CRITICAL, ERROR, tell_error


class UnhandledExceptionInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes errors of them, once, and calls whatever hook was there; a singleton, undone by uninstrument()."""

    _is_active = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: the hooks are the interpreter's."""
        return ()

    def _instrument(self, **_: Any) -> None:
        self._is_active = True
        self._process_hook = sys.excepthook
        self._thread_hook = threading.excepthook
        self._loop_handler = base_events.BaseEventLoop.call_exception_handler
        sys.excepthook = self._of_process = self._process_hook_around(self._process_hook)
        threading.excepthook = self._of_thread = self._thread_hook_around(self._thread_hook)
        self._of_loop = self._loop_handler_around(self._loop_handler)
        base_events.BaseEventLoop.call_exception_handler = self._of_loop  # type: ignore[method-assign]

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        # Where somebody else has put a hook around ours, it stays inside and does nothing.
        if sys.excepthook is self._of_process:
            sys.excepthook = self._process_hook
        if threading.excepthook is self._of_thread:
            threading.excepthook = self._thread_hook
        if base_events.BaseEventLoop.call_exception_handler is self._of_loop:
            base_events.BaseEventLoop.call_exception_handler = self._loop_handler  # type: ignore[method-assign]

    def _process_hook_around(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(hook)
        def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
            if isinstance(error, Exception):  # KeyboardInterrupt ends a program on purpose
                self._tell(error, CRITICAL, "an exception that nobody caught ended the process", "main")
            return hook(kind, error, trace)

        return excepthook

    def _thread_hook_around(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(hook)
        def excepthook(args: Any, /) -> Any:
            if isinstance(args.exc_value, Exception):
                name = getattr(args.thread, "name", "a thread")
                self._tell(args.exc_value, ERROR, f"an exception that nobody caught ended the thread {name}", "thread")
            return hook(args)

        return excepthook

    def _loop_handler_around(self, handler: Callable[..., Any]) -> Any:
        @functools.wraps(handler)
        def call_exception_handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> Any:
            error = context.get("exception")
            if isinstance(error, Exception):
                self._tell(error, ERROR, str(context.get("message") or "an exception in an event loop"), "asyncio")
            return handler(loop, context)

        return call_exception_handler

    def _tell(self, error: BaseException, level: int, message: str, where: str) -> None:
        if not self._is_active:
            return
        try:
            tell_error(f"unhandled.{where}", level, message, error, time_unix_ns=time.time_ns(), attributes={})
        except Exception as failure:  # noqa: BLE001 - the hook that was there comes next
            internal_error("tell of an exception that nobody caught", failure)
