"""Wakes the writing thread from any place in the application: a signal handler, a finaliser, another thread."""

import threading


class WakeUp:
    """A flag that one thread waits for. Setting it takes no lock that an interrupted caller could hold already.

    threading.Event does: a signal handler that sets an event while the code it interrupted sets the same event waits
    for itself for ever. Releasing a plain lock is one call into C, complete before any handler runs.
    """

    def __init__(self) -> None:
        self._sleep = threading.Lock()
        self._sleep.acquire()

    def set(self) -> None:
        """End the waiting, now or the next one."""
        if self._sleep.locked():
            try:
                self._sleep.release()
            except RuntimeError:  # someone else has just done it
                return

    def wait(self, timeout_s: float) -> None:
        """Return after *timeout_s*, or as soon as the flag is set; it is taken back thereby."""
        self._sleep.acquire(timeout=min(timeout_s, threading.TIMEOUT_MAX))
