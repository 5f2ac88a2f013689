"""How many different names others may bring along in a day.

Names are what pages list and group by, and what the writing thread prepares and remembers: an attribute whose name it has
seen costs it 1 us, a new one 40. So whoever sends names made up at random gets them left out or put together, and the
others, whose names repeat, notice nothing.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

Sort = Literal["service", "span", "component", "attribute", "error"]

OTHER: Final = "(other)"
"""What stands in for a name that is one too many."""

OF_SERVICES: Final[Mapping[Sort, int]] = {
    "service": 200, "span": 5000, "component": 2000, "attribute": 2000, "error": 10_000,
}  # fmt: skip
OF_BROWSERS: Final[Mapping[Sort, int]] = {
    "service": 20, "span": 2000, "component": 500, "attribute": 500, "error": 1000,
}  # fmt: skip
_DAY_S: Final = 86_400.0


class SeenNames:
    """The names of a day, by their sort. Safe for threads: two that come at once may be one more than allowed."""

    def __init__(self, most: Mapping[Sort, int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._begin()

    def _begin(self) -> None:
        # Hashes instead of names: 28 bytes each, however long they are; Python's cannot be foreseen by strangers.
        self._seen: dict[Sort, set[int]] = {sort: set() for sort in self._most}
        self._ends_at = self._clock() + _DAY_S

    def begin_day(self) -> None:
        """Forget yesterday's; called with each request."""
        if self._clock() >= self._ends_at:
            self._begin()

    def admits(self, sort: Sort, name: str) -> bool:
        """Whether *name* is known, or is one more that there is room for."""
        known, number = self._seen[sort], hash(name)
        if number in known:
            return True
        if len(known) >= self._most[sort]:
            return False
        known.add(number)
        return True

    def known(self, sort: Sort, name: str) -> str:
        """Return *name*, or what stands in for it."""
        return name if self.admits(sort, name) else OTHER
