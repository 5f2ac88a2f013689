"""What became of every span, log record and metric point: the books of one process.

The invariant, at any instant at which it is read: emitted = stored + already_there + queued + spooled + dropped.
A span, a log record and a metric data point count one each when they are handed over; an error found on a span counts
one more from the moment it is found. `spooled` are rows of this process that are on disk; they leave it as they reach the
store. Outside the sum stand `retried`, which counts attempts, and `adopted`: what became of rows that processes which
ended had left on disk, and had counted in their own books as spooled.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class WriteResult:
    """What one batch, or a part of it, came to."""

    stored: int = 0
    already_there: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    last_error: str | None = None
    """Why something was dropped, in the server's words."""

    @property
    def settled(self) -> int:
        """Rows whose fate is known."""
        return self.stored + self.already_there + sum(self.dropped.values())

    def add(self, other: "WriteResult") -> None:
        """Count *other* as well."""
        self.stored += other.stored
        self.already_there += other.already_there
        self.dropped.update(other.dropped)
        self.last_error = other.last_error or self.last_error


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """The books at one instant."""

    emitted: int
    stored: int
    already_there: int
    queued: int
    spooled: int
    retried: int
    dropped: Mapping[str, int]
    adopted: Mapping[str, int]
    """`stored`, `already_there` and `dropped` of frames that other processes had left."""
    damaged_frames: int
    last_error: str | None

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is missing and nothing is counted twice."""
        accounted_for = self.stored + self.already_there + self.queued + self.spooled + sum(self.dropped.values())
        return self.emitted == accounted_for


class Ledger:
    """Counts rows from hand-over to their end. Safe for threads; every method takes one short lock."""

    def __init__(self) -> None:
        self._count_waiting: Callable[[], int] = _none
        self._begin()

    def _begin(self) -> None:
        # Reentrant: a signal handler or a finaliser may ask for the books while its own thread is reading them.
        self.lock = threading.RLock()
        """Whoever moves rows between the front and the books holds it, so that a reader finds them in one of the two."""
        self._clear()

    def stands_behind(self, count_waiting: Callable[[], int]) -> None:
        """Count the rows that *count_waiting* returns as emitted and queued: they wait in front of the books.

        It is called with the lock held and may itself book what became of rows.
        """
        self._count_waiting = count_waiting

    def _clear(self) -> None:
        self._emitted = 0
        self._stored = 0
        self._already_there = 0
        self._queued = 0
        self._spooled = 0
        self._adopted: Counter[str] = Counter()
        self._damaged_frames = 0
        self._retried = 0
        self._dropped: Counter[str] = Counter()
        self._last_error: str | None = None
        self._is_closed = False

    def reset(self) -> None:
        """Start new books with a new lock: a forked child answers for nothing that its parent took in."""
        self._begin()

    def emit(self, count: int = 1) -> None:
        """*count* rows were handed over and wait; those in front of the books are entered when they are taken."""
        with self.lock:
            if not self._is_closed:
                self._emitted += count
                self._queued += count

    def settle(self, result: WriteResult) -> None:
        """Rows that waited were stored, found in the store, or dropped."""
        with self.lock:
            if self._is_closed:
                return
            self._queued -= result.settled
            self._stored += result.stored
            self._already_there += result.already_there
            self._dropped.update(result.dropped)
            self._last_error = result.last_error or self._last_error

    def drop(self, count: int, reason: str) -> None:
        """*count* rows that waited are lost for *reason*."""
        if count:
            with self.lock:
                if not self._is_closed:
                    self._queued -= count
                    self._dropped[reason] += count

    def spool(self, count: int) -> None:
        """*count* rows that waited are on disk now."""
        with self.lock:
            if not self._is_closed:
                self._queued -= count
                self._spooled += count

    def settle_spooled(self, result: WriteResult) -> None:
        """Rows of this process that were on disk were stored, found in the store, or dropped."""
        with self.lock:
            if not self._is_closed:
                self._spooled -= result.settled
                self._stored += result.stored
                self._already_there += result.already_there
                self._dropped.update(result.dropped)
                self._last_error = result.last_error or self._last_error

    def drop_spooled(self, count: int, reason: str) -> None:
        """*count* rows of this process that were on disk are lost for *reason*."""
        self.settle_spooled(WriteResult(dropped=Counter({reason: count} if count else {})))

    def settle_adopted(self, result: WriteResult) -> None:
        """Rows that another process had left on disk were stored, found in the store, or dropped."""
        with self.lock:
            self._adopted["stored"] += result.stored
            self._adopted["already_there"] += result.already_there
            self._adopted["dropped"] += sum(result.dropped.values())
            self._last_error = result.last_error or self._last_error

    def drop_adopted(self, count: int) -> None:
        """*count* rows that another process had left on disk are lost."""
        with self.lock:
            self._adopted["dropped"] += count

    def damage_frame(self) -> None:
        """A frame on disk could not be read."""
        with self.lock:
            self._damaged_frames += 1

    def close(self, reason: str) -> int:
        """Everything that still waits is lost for *reason*; what is said of it later is not counted. Returns how many."""
        with self.lock:
            left, self._queued = self._queued, 0
            if left:
                self._dropped[reason] += left
            self._is_closed = True
            return left

    def refuse(self, count: int, reason: str) -> None:
        """*count* rows were handed over and lost at once for *reason*."""
        if count:
            with self.lock:
                self._emitted += count
                self._dropped[reason] += count

    def retry(self) -> None:
        """A batch is sent once more."""
        with self.lock:
            self._retried += 1

    def note_error(self, text: str) -> None:
        """Remember *text* as the last thing that went wrong."""
        with self.lock:
            self._last_error = text

    def read(self) -> LedgerReading:
        """Return the books at this instant."""
        with self.lock:
            waiting = self._count_waiting()
            return LedgerReading(
                emitted=self._emitted + waiting,
                stored=self._stored,
                already_there=self._already_there,
                queued=self._queued + waiting,
                spooled=self._spooled,
                retried=self._retried,
                dropped=dict(self._dropped),
                adopted=dict(self._adopted),
                damaged_frames=self._damaged_frames,
                last_error=self._last_error,
            )

    def stats(self) -> dict[str, Any]:
        """Return the books as a plain dict: what `e2edebug.stats()` shows."""
        reading = self.read()
        return {
            "emitted": reading.emitted,
            "stored": reading.stored,
            "already_there": reading.already_there,
            "queued": reading.queued,
            "spooled": reading.spooled,
            "retried": reading.retried,
            "dropped": dict(reading.dropped),
            "adopted": {name: reading.adopted.get(name, 0) for name in ("stored", "already_there", "dropped")},
            "damaged_frames": reading.damaged_frames,
            "last_error": reading.last_error,
        }


def _none() -> int:
    return 0
