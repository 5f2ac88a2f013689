"""Bars that show when, within a trace, something ran."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class TimeScale:
    """A stretch of time drawn over *width* columns. Half a column is the finest that a bar shows."""

    start: datetime
    end: datetime
    width: int
    is_unicode: bool = True

    def bar(self, intervals: Iterable[tuple[datetime, datetime]]) -> str:
        """Return *width* columns with a stroke wherever one of *intervals* was running; the shortest is still seen."""
        halves = self.width * 2
        changes = [0] * (halves + 1)
        for start, end in intervals:
            first = min(max(self._half(start), 0), halves - 1)
            last = min(max(self._half(end), first + 1), halves)
            changes[first] += 1
            changes[last] -= 1
        running = list(accumulate(changes))
        full, left, right = ("━", "╸", "╺") if self.is_unicode else ("=", "-", "-")
        cells = {(True, True): full, (True, False): left, (False, True): right, (False, False): " "}
        return "".join(cells[running[at] > 0, running[at + 1] > 0] for at in range(0, halves, 2))

    def _half(self, moment: datetime) -> int:
        length_s = (self.end - self.start).total_seconds()
        if length_s <= 0:
            return 0
        return round((moment - self.start).total_seconds() / length_s * self.width * 2)
