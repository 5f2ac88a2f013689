"""How long the garbage collector made the process stand still."""

import gc
import time
from collections.abc import Mapping
from typing import Any, NamedTuple


class Pauses(NamedTuple):
    """What came together since it was asked last, in milliseconds."""

    longest_ms: float
    total_ms: float


class GcPauses:
    """Times every collection. Takes no lock and records nothing: it runs wherever an object is allocated."""

    def __init__(self) -> None:
        self._began_ns = 0
        self._longest_ns = 0
        self._total_ns = 0

    def start(self) -> None:
        """Begin to listen."""
        if self not in gc.callbacks:
            gc.callbacks.append(self)

    def stop(self) -> None:
        """Listen no more."""
        if self in gc.callbacks:
            gc.callbacks.remove(self)

    def __call__(self, phase: str, _info: Mapping[str, Any]) -> None:
        """Called by the collector, which never runs twice at once."""
        if phase == "start":
            self._began_ns = time.perf_counter_ns()
        elif self._began_ns:
            took_ns = time.perf_counter_ns() - self._began_ns
            self._total_ns += took_ns
            if took_ns > self._longest_ns:
                self._longest_ns = took_ns

    def take(self) -> Pauses:
        """Return what came together, and begin again."""
        longest, self._longest_ns = self._longest_ns, 0
        total, self._total_ns = self._total_ns, 0
        return Pauses(longest / 1e6, total / 1e6)
