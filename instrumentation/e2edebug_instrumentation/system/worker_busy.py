"""Which share of its time a gunicorn worker answers requests: near 100 % the next request waits for a free one."""

import gc
import sys
import threading
import time
from collections import deque
from typing import Any, Final

import wrapt

_SIGNALS: Final = "django.core.signals"
_GUNICORN: Final = "gunicorn.workers.base"
_ID: Final = "e2edebug_worker_busy"
_KINDS: Final = ("SyncWorker", "ThreadWorker")
"""Those with a number of requests at once that is known; asynchronous workers have none."""


class WorkerBusy:
    """Adds up the time between Django's signals at the start and end of each request, by thread. Takes no lock."""

    def __init__(self) -> None:
        self._is_active = False
        self._is_hooked = False
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a forked child."""
        self._began: dict[int, float] = {}
        self._ended: deque[float] = deque()
        self._threads: int | None = None
        self._is_looked_for = False

    def start(self) -> None:
        """Listen to Django's signals as soon as there are any."""
        self._is_active = True
        if not self._is_hooked:
            self._is_hooked = True
            wrapt.register_post_import_hook(self._connect, _SIGNALS)
        elif _SIGNALS in sys.modules:
            self._connect(sys.modules[_SIGNALS])

    def stop(self) -> None:
        """Listen no more."""
        self._is_active = False
        signals = sys.modules.get(_SIGNALS)
        if signals is not None:
            signals.request_started.disconnect(dispatch_uid=_ID)
            signals.request_finished.disconnect(dispatch_uid=_ID)

    def take(self, elapsed_s: float) -> float | None:
        """Return the share of the last *elapsed_s* in percent; None where this process is no gunicorn worker of a known kind."""
        now = time.monotonic()
        busy_s = 0.0
        while self._ended:
            busy_s += self._ended.popleft()
        for thread, began in list(self._began.items()):
            if thread in self._began:  # still at it: what it did so far belongs to this interval
                self._began[thread] = now
                busy_s += now - began
        threads = self._thread_count()
        return None if threads is None or elapsed_s <= 0 else min(100.0, 100.0 * busy_s / (elapsed_s * threads))

    def _connect(self, signals: Any) -> None:
        if self._is_active:
            signals.request_started.connect(self._when_started, weak=False, dispatch_uid=_ID)
            signals.request_finished.connect(self._when_finished, weak=False, dispatch_uid=_ID)

    def _when_started(self, **_: Any) -> None:
        self._began[threading.get_ident()] = time.monotonic()

    def _when_finished(self, **_: Any) -> None:
        began = self._began.pop(threading.get_ident(), None)
        if began is not None:
            self._ended.append(time.monotonic() - began)

    def _thread_count(self) -> int | None:
        """Return how many requests the worker answers at once, looked for once in each process."""
        module = sys.modules.get(_GUNICORN)
        if module is None or self._is_looked_for:
            return self._threads
        self._is_looked_for = True
        # The worker holds the only reference to itself that there is: e2edebug is imported while it starts.
        for found in gc.get_objects():
            if issubclass(type(found), module.Worker) and type(found).__name__ in _KINDS:
                self._threads = max(1, int(getattr(found.cfg, "threads", 1)))
        return self._threads
