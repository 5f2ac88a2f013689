"""How long the end of a process may take, and which part of that belongs to the store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_DISK_SHARE: Final = 0.4
"""Of the time that an exit may take; before it begins, rows may still go to the store."""


class EndTime:
    """A budget, which every flush of an exit uses up its part of, and then the moments at which a shutdown stops.

    exit_timeout_s: the whole. has_disk: what the store has not taken is put on disk afterwards.
    """

    def __init__(self, exit_timeout_s: float, *, has_disk: bool, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._for_disk_s = exit_timeout_s * _DISK_SHARE if has_disk else 0.0
        self.left_s = exit_timeout_s
        """Of the budget."""
        self.stop_at: float | None = None
        """Of the clock; None until a shutdown begins."""
        self.store_until: float | None = None
        """Of the clock: until then rows may still go to the store."""

    @property
    def has_begun(self) -> bool:
        """Whether a shutdown is under way."""
        return self.stop_at is not None

    @contextmanager
    def used_for_store(self) -> Iterator[float]:
        """Give how long the block may wait for the store; the time that it takes is used up.

        The time, not a moment that comes: between a provider's shutdown and the exit of the process may lie hours.
        """
        begun_at = self._clock()
        try:
            yield max(0.0, self.left_s - self._for_disk_s)
        finally:
            self.left_s = max(0.0, self.left_s - (self._clock() - begun_at))

    def begin(self, timeout_s: float, *, is_spooling: bool) -> None:
        """A shutdown begins, which may take *timeout_s*."""
        self.stop_at = self._clock() + timeout_s
        self.store_until = self.stop_at - (min(timeout_s, self._for_disk_s) if is_spooling else 0.0)

    @property
    def is_over(self) -> bool:
        """Whether a shutdown has come to its end."""
        return self.stop_at is not None and self._clock() >= self.stop_at

    @property
    def is_over_for_store(self) -> bool:
        """Whether rows may go to the store no more."""
        return self.store_until is not None and self._clock() >= self.store_until

    @property
    def stops_in_s(self) -> float:
        """How long until a shutdown ends, for ever where there is none."""
        return float("inf") if self.stop_at is None else max(0.0, self.stop_at - self._clock())

    @property
    def store_stops_in_s(self) -> float:
        """How long rows may still go to the store, for ever where there is no shutdown."""
        return float("inf") if self.store_until is None else max(0.0, self.store_until - self._clock())
