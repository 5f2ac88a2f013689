"""How often something may happen: so many times in a period, all at once or spread over it."""

import threading
import time
from collections.abc import Callable
from typing import Final

_PERIODS_S: Final = {"s": 1, "min": 60, "hour": 3600, "day": 86_400}


class TokenBucket:
    """Fills up at *rate*, such as `600/min`, and holds a period's worth. Safe for threads."""

    def __init__(self, rate: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        number, _, unit = rate.partition("/")
        self._capacity = float(number)
        self._per_s = self._capacity / _PERIODS_S[unit]
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = self._capacity
        self._at = clock()

    def take(self, count: float) -> float:
        """Take *count* tokens: 0.0 if there was one at least, else how many seconds it takes until there is.

        More may be taken than there are, or what costs more than a period's worth could never be had; the debt is
        paid before anything else is given.
        """
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._per_s)
            self._at = now
            if self._tokens < 1.0:
                return (1.0 - self._tokens) / self._per_s
            self._tokens -= count
            return 0.0

    def charge(self, count: float) -> None:
        """Take *count* tokens for what has been done already."""
        with self._lock:
            self._tokens -= count
