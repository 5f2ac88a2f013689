"""Keeps one constant client-sent id from folding all users into one workflow.

A script, a load test or a misread guide sends `X-Correlation-ID: test` for ever; every request would then join one
session that never ends. An id is taken over for a bounded number of traces and a bounded time, counted per process.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_REMEMBERED_IDS = 10_000
"""About 2 MB; beyond it the id unused for longest is forgotten and starts anew."""


@dataclass(slots=True)
class _Use:
    first_seen_s: float
    trace_count: int
    last_trace_id: int


class IdReuse:
    """Decides whether a received correlation id may name one more trace. Thread-safe."""

    def __init__(
        self,
        *,
        max_traces: int = 1000,
        max_age_s: float = 86_400.0,
        max_remembered_ids: int = MAX_REMEMBERED_IDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_traces = max_traces
        self._max_age_s = max_age_s
        self._max_remembered_ids = max_remembered_ids
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def admits(self, received: str, trace_id: int) -> bool:
        """Return whether *received* still names a workflow of its own, and count this trace for it.

        trace_id: 0 for a request that begins a trace. Requests of the trace seen last are not counted again, so one
        page with many calls in one trace uses up one of its id's traces.
        """
        now_s = self._clock()
        with self._lock:
            use = self._uses.get(received)
            if use is None:
                use = self._uses[received] = _Use(now_s, 0, 0)
                if len(self._uses) > self._max_remembered_ids:
                    self._uses.popitem(last=False)
            else:
                self._uses.move_to_end(received)
            if use.trace_count == 0 or trace_id == 0 or trace_id != use.last_trace_id:
                use.trace_count += 1
                use.last_trace_id = trace_id
            return use.trace_count <= self._max_traces and now_s - use.first_seen_s <= self._max_age_s
