"""Our own failures: counted, logged once per cause, never raised into the application that hosts us."""

import functools
import logging
import os
import signal
import threading
from collections import Counter
from types import CodeType, TracebackType
from typing import Any

_log = logging.getLogger("e2edebug")
# Reentrant: a signal handler may interrupt a report to make one itself.
_lock = threading.RLock()
_counts: Counter[str] = Counter()


def internal_error(where: str, error: BaseException) -> None:
    """Count a failure of ours at *where*, a place such as "start a step", and log its first occurrence.

    An error that is not ours but the application's goes on to the application: what a signal handler raised while it
    interrupted us, such as the time limits of RQ and Celery. With E2EDEBUG_RAISE_ERRORS set, as our own test suite does,
    every error is raised.
    """
    if os.environ.get("E2EDEBUG_RAISE_ERRORS", "").lower() in {"1", "true", "yes", "on"}:
        raise error
    if _is_raised_by_signal_handler(error):
        raise error
    cause = f"{where}: {type(error).__qualname__}"
    with _lock:
        _counts[cause] += 1
        is_first = _counts[cause] == 1
    if is_first:
        _log.warning("e2edebug failed to %s and goes on without (logged once)", where, exc_info=error)


def internal_error_counts() -> dict[str, int]:
    """Return how often each cause occurred in this process."""
    with _lock:
        return dict(_counts)


def _is_raised_by_signal_handler(error: BaseException) -> bool:
    """Tell whether *error* passed through a signal handler of now. Handlers in C leave no frame, and raise no Exception."""
    traceback: TracebackType | None = error.__traceback__
    if traceback is None or threading.current_thread() is not threading.main_thread():
        return False  # handlers run in the main thread alone
    handlers = {code for number in signal.valid_signals() if (code := _code_of(signal.getsignal(number))) is not None}
    while traceback is not None:
        if traceback.tb_frame.f_code in handlers:
            return True
        traceback = traceback.tb_next
    return False


def _code_of(handler: Any) -> CodeType | None:
    """Return the code that runs when *handler* is called: a function, a method, a partial, or an object with __call__."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__"):
        function = vars(type(handler)).get("__call__")
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
