"""Threads and executors go on with the workflow of whoever started them or gave them work.

asyncio needs nothing: its tasks copy the context they are made in, and `run_in_executor` hands over through submit().
"""

import concurrent.futures
import threading
from collections.abc import Callable, Collection
from concurrent.futures import process as process_pool
from concurrent.futures import thread as thread_pool
from typing import Any, Final

import wrapt
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import unwrap

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
        wrapt.wrap_function_wrapper(threading.Thread, "start", _start)
        # Not run(): classes derived from Thread have their own.
        wrapt.wrap_function_wrapper(threading.Thread, "_bootstrap_inner", _bootstrap)
        wrapt.wrap_function_wrapper(thread_pool.ThreadPoolExecutor, "submit", _submit_to_thread)
        wrapt.wrap_function_wrapper(process_pool.ProcessPoolExecutor, "submit", _submit_to_process)

    def _uninstrument(self, **_: Any) -> None:
        unwrap(threading.Thread, "start")
        unwrap(threading.Thread, "_bootstrap_inner")
        unwrap(concurrent.futures.ThreadPoolExecutor, "submit")
        unwrap(concurrent.futures.ProcessPoolExecutor, "submit")


def run_within(context: Context, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call *function* in *context*."""
    token = otel_context.attach(context)
    try:
        return function(*args, **kwargs)
    finally:
        otel_context.detach(token)


def run_carried(carrier: dict[str, str], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call *function* in the workflow that *carrier* brought to this process, and in no other."""
    return run_within(carried(carrier), function, *args, **kwargs)


def _start(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
    context = otel_context.get_current()
    if context and not _is_long_lived(thread):
        thread.__dict__[_CONTEXT] = context
    return wrapped(*args, **kwargs)


def _is_long_lived(thread: threading.Thread) -> bool:
    target = getattr(thread, "_target", None)
    module = getattr(target, "__module__", None) or type(thread).__module__
    return str(module).startswith(_LONG_LIVED)


def _bootstrap(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
    context = thread.__dict__.pop(_CONTEXT, None)
    if context is not None:
        otel_context.attach(context)  # for good: the thread ends with it
    return wrapped(*args, **kwargs)


def _submit_to_thread(wrapped: Callable[..., Any], _executor: Any, args: Any, kwargs: Any) -> Any:
    context = otel_context.get_current()
    if not context or not args:
        return wrapped(*args, **kwargs)
    return wrapped(run_within, context, *args, **kwargs)


def _submit_to_process(wrapped: Callable[..., Any], _executor: Any, args: Any, kwargs: Any) -> Any:
    # Also without a workflow: the worker may have been forked within one, which this work does not belong to.
    if not args:
        return wrapped(*args, **kwargs)
    carrier: dict[str, str] = {}
    carry(carrier)
    return wrapped(run_carried, carrier, *args, **kwargs)
