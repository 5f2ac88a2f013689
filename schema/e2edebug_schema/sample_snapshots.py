"""The metrics of invented traffic: what each process of the shop would have exported for each minute.

Response times, error rate and throughput of every component, queries per request, and of days that retention has been
over, hours instead. Nothing that the steps do not say: no processor, memory or pool.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Final
from uuid import UUID

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.retention.hourly_snapshots import merged_rows
from e2edebug_schema.retention.policy import MERGE_AFTER
from e2edebug_schema.sample_sessions import SERVICE, Row, SampleSession

WINDOW_S: Final = 60
PROCESSES: Final = 4
"""As many as a server of the usual size runs; each has rows of its own."""

LONGEST_REQUEST_S: Final = 600

SNAPSHOT_FIELDS: Final = (
    "event_key", "correlation_id", "trace_id", "timestamp", "interval_s", "service", "service_instance", "layer",
    "component", "metric_name", "metric_kind", "metric_value", "unit", "count", "sum", "min", "max", "p50", "p95",
    "p99", "error_count", "buckets", "threshold_warning", "threshold_critical", "metadata",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A row before it has a key of its own; its fields are columns."""

    correlation_id: str | None
    trace_id: str | None
    timestamp: str
    service_instance: str
    layer: str
    component: str
    metric_name: str
    metric_kind: str
    metric_value: float | None
    unit: str
    count: int
    sum: float
    min: float | None
    max: float | None
    error_count: int
    buckets: str | None
    metadata: str
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    service: str = SERVICE
    interval_s: float = WINDOW_S
    threshold_warning: float | None = None
    threshold_critical: float | None = None

    @property
    def event_key(self) -> str:
        """What it is one row by."""
        name = "\0".join((
            self.service, self.service_instance, self.layer, self.component, self.metric_name, self.unit, self.timestamp,
        ))  # fmt: skip
        return md5(name.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Window:
    """The values of one component of one process in one minute."""

    histogram: Histogram = field(default_factory=Histogram)
    total: float = 0.0
    error_count: int = 0
    worst: tuple[float, str | None, str | None] = (-1.0, None, None)

    def add(self, value: float, correlation_id: str, trace_id: str) -> None:
        self.histogram.add(value)
        self.total += value
        if value > self.worst[0]:
            self.worst = (value, correlation_id, trace_id)


_Key = tuple[str, int, str, str, str]
"""Minute, process, layer, component and metric."""


class SampleSnapshots:
    """Minutes that are still open. Sessions come in the order of their starts, so old minutes close, and old hours.

    until: the end of the traffic; what is older than retention leaves minutes is rows by the hour.
    name: of the load, so that the rows of another one for the same minutes are those of other processes.
    """

    def __init__(self, *, until: datetime, name: str = "") -> None:
        self._open: dict[_Key, _Window] = {}
        self._merged_before = (until - MERGE_AFTER).astimezone(UTC).strftime("%Y-%m-%d %H")
        self._hours: dict[tuple[str, str, str], list[_Snapshot]] = {}
        # Readable as what the product writes there: a UUID for each process.
        self._instances = [
            str(UUID(bytes=md5(f"{name}\0{number}".encode(), usedforsecurity=False).digest()))
            for number in range(PROCESSES)
        ]

    def finished_before(self, sessions: Sequence[SampleSession]) -> list[Row]:
        """Take in *sessions* and return the rows of the minutes that no later one can reach."""
        for session in sessions:
            process = int(session.steps[0][1][:8], 16) % PROCESSES
            for step in session.steps:
                self._add(process, step)
            self._add_queries(process, session)
        oldest = datetime.fromtimestamp(sessions[-1].start_us / 1_000_000 - LONGEST_REQUEST_S, UTC)
        return self._take(oldest.strftime("%Y-%m-%d %H:%M"), oldest.strftime("%Y-%m-%d %H"))

    def rest(self) -> list[Row]:
        """Return the rows of what is still open."""
        return self._take("9999", "9999")

    def _add(self, process: int, step: Row) -> None:
        layer, component, start_time, duration_ms = step[4], step[5], step[9], step[11]
        window = self._window((start_time[:16], process, layer, component, "response_time"))
        window.add(duration_ms, step[0], step[1])
        window.error_count += step[12] == "failed"

    def _add_queries(self, process: int, session: SampleSession) -> None:
        root = session.steps[0]
        queries = sum(step[4] == "database" for step in session.steps)
        self._window((root[9][:16], process, root[4], root[5], "query_count")).add(queries, root[0], root[1])

    def _window(self, key: _Key) -> _Window:
        window = self._open.get(key)
        if window is None:
            window = self._open[key] = _Window()
        return window

    def _take(self, minute: str, hour: str) -> list[Row]:
        rows: list[Row] = []
        for key in sorted(key for key in self._open if key[0] < minute):
            for snapshot in self._snapshots(key, self._open.pop(key)):
                if key[0][:13] < self._merged_before:
                    place = (key[0][:13], snapshot.layer, snapshot.metric_name)
                    self._hours.setdefault(place, []).append(snapshot)
                else:
                    rows.append(tuple(getattr(snapshot, name) for name in SNAPSHOT_FIELDS))
        for place in sorted(place for place in self._hours if place[0] < hour):
            rows += _hour_rows(place[0], self._hours.pop(place))
        return rows

    def _snapshots(self, key: _Key, window: _Window) -> Iterator[_Snapshot]:
        minute, process, layer, component, metric_name = key
        histogram, (_, correlation_id, trace_id) = window.histogram, window.worst
        place = (f"{minute}:00.000000", self._instances[process], layer, component)
        p50, p95, p99 = (histogram.percentile(percent) for percent in (50, 95, 99))
        count = histogram.count
        yield _Snapshot(
            correlation_id, trace_id, *place, metric_name, "histogram", p95,
            "ms" if metric_name == "response_time" else "queries", count, window.total, histogram.minimum,
            histogram.maximum, window.error_count, histogram.encode(), "{}", p50, p95, p99,
        )  # fmt: skip
        if metric_name != "response_time":
            return
        metadata = json.dumps({"operations": count, "errors": window.error_count}, separators=(",", ":"))
        for name, unit, value in (
            ("error_rate", "%", 100.0 * window.error_count / count), ("throughput", "1/s", count / WINDOW_S),
        ):  # fmt: skip
            yield _Snapshot(
                None, None, *place, name, "gauge", value, unit, 1, value, value, value, window.error_count, None, metadata,
            )  # fmt: skip


def _hour_rows(hour: str, snapshots: Iterable[_Snapshot]) -> Iterator[Row]:
    start = datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)
    for merged in merged_rows(start, snapshots):
        values: dict[str, Any] = merged | {"timestamp": f"{hour}:00:00.000000"}
        yield tuple(values[name] for name in SNAPSHOT_FIELDS)
