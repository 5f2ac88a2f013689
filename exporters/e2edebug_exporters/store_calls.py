"""When the writing thread is inside a call to the store, which may last as long as its time limits allow.

It touches nothing else meanwhile, so another thread may go on in its place: for a moment, or at an exit for good.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LOCK_WAIT_S: Final = 0.025
"""Of an exit: who holds the lock may be writing to a slow disk."""


class StoreCalls:
    """Entered by the writing thread, looked at by others."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Whoever does the writing thread's work holds it; so does that thread while it books how a call ended."""
        self._changed = threading.Condition(self.lock)
        self._is_inside = False
        self._number = 0
        self.is_closed = False
        """Nobody needs to wait for calls any more."""
        self.is_taken_over = False
        """Another thread has gone on for good: the writing one must touch nothing any more."""

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let others go on in the calling thread's place until the block ends, which waits for what they have begun."""
        with self._changed:
            self._is_inside = True
            self._number += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            self._is_inside = False  # before the lock is had, so that nobody begins with another piece of work
            with self._changed:
                self._changed.notify_all()

    def wait_for_long_one(self, lasting_s: float) -> bool:
        """Wait for a call and then for its end. True: it is still going on after *lasting_s*; False: look again."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_inside or self.is_closed)
            number = self._number
            is_over = self._changed.wait_for(
                lambda: not self._is_inside or self._number != number or self.is_closed, timeout=lasting_s
            )
            return not is_over

    def do_meanwhile(self, work: Callable[[], bool]) -> bool:
        """Do a piece of the writing thread's work, if that is inside a call; return what *work* returns, else False."""
        with self.lock:
            return self._is_inside and not self.is_taken_over and work()

    def take_over(self) -> bool:
        """Go on in the writing thread's place for good. False: it, or another, is at work elsewhere now."""
        if not self.lock.acquire(timeout=_LOCK_WAIT_S):
            return False
        try:
            self.is_taken_over = self.is_taken_over or self._is_inside
            return self.is_taken_over
        finally:
            self.lock.release()

    def close(self) -> None:
        """End the waiting for calls."""
        self.is_closed = True
        if self._changed.acquire(timeout=_LOCK_WAIT_S):  # else somebody is at work, and looks when that is done
            try:
                self._changed.notify_all()
            finally:
                self._changed.release()
