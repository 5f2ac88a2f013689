"""Whoever has metrics to give is asked for them at each interval, flush, fork and exit."""

from collections.abc import Callable
from typing import Any

from e2edebug_exporters.own_work import report_internal

Collect = Callable[[], Any]
"""Returns MetricsData or None; it may also put them itself."""


class MetricSources:
    """Asks its sources and hands on what they give. A source that fails keeps no other from being asked."""

    def __init__(self, put: Callable[[Any], None], *, interval_s: float, clock: Callable[[], float]) -> None:
        self._put = put
        self._interval_s = interval_s
        self._clock = clock
        self._sources: list[Collect] = []
        self.begin()

    def begin(self) -> None:
        """Begin with a whole interval."""
        self._next_at = self._clock() + self._interval_s

    def add(self, collect: Collect) -> None:
        """Ask *collect* from now on."""
        self._sources.append(collect)

    @property
    def due_in_s(self) -> float:
        """How long until the interval is over."""
        return self._next_at - self._clock()

    def collect_if(self, is_wanted: bool) -> None:
        """Ask them if somebody wants the metrics of this moment, or the interval is over."""
        if is_wanted or self.due_in_s <= 0:
            self.begin()
            self.collect()

    def collect(self) -> None:
        """Ask them now."""
        for collect in self._sources:
            try:
                data = collect()
                if data is not None:
                    self._put(data)
            except Exception as error:  # noqa: BLE001 # a callback of the host's instruments may raise anything
                report_internal("collect metrics", error)
