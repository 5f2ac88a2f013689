"""Threads and executors go on with the workflow of whoever started them or gave them work.

asyncio needs nothing: its tasks copy the context they are made in, and `run_in_executor` hands over through submit().
"""

import functools
import threading
from collections.abc import Callable, Collection
from concurrent.futures import process as process_pool
from concurrent.futures import thread as thread_pool
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class

from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.tasks.task_span import carried, carry

_CONTEXT: Final = "_e2edebug_context"
_LONG_LIVED: Final = (
    "concurrent.futures.", "multiprocessing.", "e2edebug", "opentelemetry.", "celery.", "kombu.", "rq.", "redis.", "sentry_sdk.",
)  # fmt: skip
"""Whose threads live longer than the step in which they are started; work that they are given brings its own context."""


class ThreadingInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Hands the context on to threads, timers and the executors of concurrent.futures."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **_: Any) -> None:
        self._own: dict[tuple[type, str], Any] = {}
        for kind, method, wrapped_by in (
            (threading.Thread, "start", _starting),
            # Not run(): classes derived from Thread have their own.
            (threading.Thread, "_bootstrap_inner", _bootstrapping),
            (thread_pool.ThreadPoolExecutor, "submit", _submitting_to_threads),
            (process_pool.ProcessPoolExecutor, "submit", _submitting_to_processes),
        ):
            # gevent puts a class derived from Thread in its place.
            owner = next(one for one in kind.__mro__ if method in vars(one))
            own = vars(owner)[method]
            self._own[owner, method] = own
            # A plain function, not a wrapper of wrapt's, which takes as long as all that it would do here.
            setattr(owner, method, functools.wraps(own)(wrapped_by(own)))

    def _uninstrument(self, **_: Any) -> None:
        for (owner, method), own in self._own.items():
            if getattr(vars(owner)[method], "__wrapped__", None) is own:
                setattr(owner, method, own)
        self._own = {}


def run_within(context: Context, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call *function* in *context*."""
    token = otel_context.attach(context)
    try:
        return function(*args, **kwargs)
    finally:
        detach(token)


def run_carried(carrier: dict[str, str], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call *function* in the workflow that *carrier* brought to this process, and in no other."""
    return run_within(carried(carrier), function, *args, **kwargs)


def _starting(own: Callable[..., Any]) -> Callable[..., Any]:
    def start(thread: threading.Thread) -> None:
        context = otel_context.get_current()
        if context and not _is_long_lived(thread):
            thread.__dict__[_CONTEXT] = context
        own(thread)

    return start


def _is_long_lived(thread: threading.Thread) -> bool:
    target = thread.__dict__.get("_target")
    module = getattr(target, "__module__", None) or type(thread).__module__
    verdict = _verdicts.get(module)
    if verdict is None:
        if len(_verdicts) >= _MOST_VERDICTS:
            _verdicts.clear()
        verdict = _verdicts[module] = str(module).startswith(_LONG_LIVED)
    return verdict


def _bootstrapping(own: Callable[..., Any]) -> Callable[..., Any]:
    def _bootstrap_inner(thread: threading.Thread) -> None:
        context = thread.__dict__.pop(_CONTEXT, None)
        if context is not None:
            otel_context.attach(context)  # for good: the thread ends with it
        own(thread)

    return _bootstrap_inner


def _submitting_to_threads(own: Callable[..., Any]) -> Callable[..., Any]:
    def submit(executor: Any, /, *args: Any, **kwargs: Any) -> Any:
        context = otel_context.get_current()
        if not context or not args:
            return own(executor, *args, **kwargs)
        return own(executor, run_within, context, *args, **kwargs)

    return submit


def _submitting_to_processes(own: Callable[..., Any]) -> Callable[..., Any]:
    def submit(executor: Any, /, *args: Any, **kwargs: Any) -> Any:
        # Also without a workflow: the worker may have been forked within one, which this work does not belong to.
        if not args:
            return own(executor, *args, **kwargs)
        carrier: dict[str, str] = {}
        carry(carrier)
        return own(executor, run_carried, carrier, *args, **kwargs)

    return submit


_verdicts: dict[str, bool] = {}
_MOST_VERDICTS: Final = 1000
