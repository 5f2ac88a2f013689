"""A queue that is full is said in the log, once a minute at most."""

import logging
from collections.abc import Callable
from typing import Final

_INTERVAL_S: Final = 60.0

logger = logging.getLogger("e2edebug.pipeline")


class FullQueueNotice:
    """Noted in the application's threads, said in the writing one: logging catches what a signal handler raises."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.has_dropped = False
        """Set where something was dropped."""
        self._next_at = 0.0

    def say_if_due(self) -> None:
        """Say it, if there is something to say."""
        now = self._clock()
        if self.has_dropped and now >= self._next_at:
            self.has_dropped = False
            self._next_at = now + _INTERVAL_S
            logger.warning("the queue is full, the oldest spans are dropped (logged at most once a minute)")
