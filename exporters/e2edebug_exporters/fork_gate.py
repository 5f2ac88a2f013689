"""A fork waits until the writing thread is at rest.

A child forked in the middle of an import gets half a module (seen: `sqlalchemy.dialects`), and one forked inside a
SQLite transaction finds the file locked for ever: SQLite keeps its locks in the memory of the process, which the child
copies, while their owner stays behind (sqlite.org, "How To Corrupt An SQLite Database File", section 2.6).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WAIT_S: Final = 0.5
"""A fork of the host is not held up for longer when a server does not answer; there only the work of the parent's
thread is copied, which the child throws away."""


class ForkGate:
    """Working passes through it; forking closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_held_for_fork = False
        self.is_wanted = False
        """A fork waits: whoever works should come to an end soon."""

    @contextmanager
    def working(self) -> Iterator[None]:
        """Keep forks waiting meanwhile."""
        while self.is_wanted:  # else the worker would take the lock again before the fork wakes up
            time.sleep(0.001)
        with self._lock:
            yield

    def close(self, *, wait_s: float = WAIT_S) -> bool:
        """Wait until nobody works, and let nobody begin. Returns whether that was reached."""
        self.is_wanted = True
        self._is_held_for_fork = self._lock.acquire(timeout=wait_s)
        return self._is_held_for_fork

    def open(self) -> None:
        """Let work go on."""
        if self._is_held_for_fork:
            self._is_held_for_fork = False
            self._lock.release()
        self.is_wanted = False
