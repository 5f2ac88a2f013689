"""One reading of everything of layer `system`: metric -> its values by component."""

import os
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.system.cgroup import Cgroup
from e2edebug_instrumentation.system.event_loop_lag import EventLoopLag
from e2edebug_instrumentation.system.gc_pauses import GcPauses
from e2edebug_instrumentation.system.worker_busy import WorkerBusy

HOST: Final = "host"
CONTAINER: Final = "container"
PROCESS: Final = "process"

UNITS: Final = {
    "cpu_usage": "%",
    "memory_usage": "%",
    "memory_rss": "By",
    "thread_count": "threads",
    "open_files": "files",
    "gc_pause": "ms",
    "gc_time": "%",
    "event_loop_lag": "ms",
    "worker_busy": "%",
}
"""Every metric of this layer, with its unit. In percent, so that thresholds compare whatever the machine."""

_SHORTEST_S: Final = 1.0
"""Shares of less time than this say nothing; whoever asks again within it gets the same."""

Values = dict[str, list[tuple[str, float]]]


class _CpuTimes(NamedTuple):
    at: float
    host_busy_s: float
    host_all_s: float
    container_s: float | None
    process_s: float


class SystemReadings:
    """Reads at most once a second. psutil's view of a process is made in the process itself, so anew after a fork."""

    def __init__(
        self,
        *,
        pauses: GcPauses,
        lag: EventLoopLag,
        busy: WorkerBusy,
        clock: Callable[[], float] = time.monotonic,
        cgroup: Callable[[], Cgroup] = Cgroup,
    ) -> None:
        self._pauses = pauses
        self._lag = lag
        self._busy = busy
        self._clock = clock
        self._make_cgroup = cgroup
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._process: Any = None
        self._processors = 1
        self._cgroup: Cgroup | None = None
        self._last_cpu: _CpuTimes | None = None
        self._read_at: float | None = None
        self._values: Values = {}

    def prime(self) -> None:
        """Take the first reading, against which the next one says how much was used."""
        self.values()

    def values(self) -> Values:
        """Return the values of now. What cannot be read here is left out."""
        if self._pid != os.getpid():
            self._begin()
            self._lag.forget()
            self._busy.forget()
        now = self._clock()
        if self._read_at is None or now - self._read_at >= _SHORTEST_S:
            elapsed_s = 0.0 if self._read_at is None else now - self._read_at
            self._read_at = now
            try:
                self._values = self._read(now, elapsed_s)
            except Exception as error:  # noqa: BLE001 - /proc may be hidden from us
                internal_error("read what the system has left", error)
                self._values = {}
        return self._values

    def _read(self, now: float, elapsed_s: float) -> Values:
        import psutil

        if self._process is None:
            self._process = psutil.Process()
            # Once: the system reads a file for it. A container's limit may change while it runs, and is read each time.
            self._processors = psutil.cpu_count() or 1
            self._cgroup = self._make_cgroup()
        assert self._cgroup is not None
        process, values = self._process, Values()
        memory = psutil.virtual_memory()
        with process.oneshot():
            rss_bytes = process.memory_info().rss
            process_times = process.cpu_times()
            values["memory_rss"] = [(PROCESS, float(rss_bytes))]
            values["thread_count"] = [(PROCESS, float(process.num_threads()))]
            if hasattr(process, "num_fds"):
                values["open_files"] = [(PROCESS, float(process.num_fds()))]
        limit_bytes = memory.total
        values["memory_usage"] = [(HOST, float(memory.percent))]
        of_container = self._cgroup.memory()
        if of_container is not None and of_container.limit_bytes < memory.total:
            limit_bytes = of_container.limit_bytes
            values["memory_usage"].append((CONTAINER, 100.0 * of_container.used_bytes / limit_bytes))
        values["memory_usage"].append((PROCESS, 100.0 * rss_bytes / limit_bytes))
        host = psutil.cpu_times()
        idle_s = host.idle + getattr(host, "iowait", 0.0)
        # guest is part of user already (proc(5)).
        all_s = sum(host) - getattr(host, "guest", 0.0) - getattr(host, "guest_nice", 0.0)
        cpu_of_container = self._cgroup.cpu()
        times = _CpuTimes(
            now,
            all_s - idle_s,
            all_s,
            None if cpu_of_container is None else cpu_of_container.used_s,
            process_times.user + process_times.system,
        )
        processors = self._processors
        allowed = min(processors, cpu_of_container.processors) if cpu_of_container is not None else float(processors)
        if self._last_cpu is not None:
            values["cpu_usage"] = _cpu_usage(self._last_cpu, times, allowed)
        self._last_cpu = times
        self._add_waits(values, elapsed_s)
        return values

    def _add_waits(self, values: Values, elapsed_s: float) -> None:
        pauses = self._pauses.take()
        lag_ms = self._lag.take()
        busy = self._busy.take(elapsed_s)
        if not elapsed_s:
            return
        values["gc_pause"] = [(PROCESS, pauses.longest_ms)]
        values["gc_time"] = [(PROCESS, min(100.0, pauses.total_ms / (10.0 * elapsed_s)))]
        if lag_ms is not None:
            values["event_loop_lag"] = [(PROCESS, lag_ms)]
        if busy is not None:
            values["worker_busy"] = [(PROCESS, busy)]


def _cpu_usage(before: _CpuTimes, after: _CpuTimes, allowed: float) -> list[tuple[str, float]]:
    elapsed_s = after.at - before.at
    usage = []
    if after.host_all_s > before.host_all_s:
        share = (after.host_busy_s - before.host_busy_s) / (after.host_all_s - before.host_all_s)
        usage.append((HOST, share))
    if elapsed_s > 0:
        if before.container_s is not None and after.container_s is not None:
            usage.append((CONTAINER, (after.container_s - before.container_s) / (elapsed_s * allowed)))
        usage.append((PROCESS, (after.process_s - before.process_s) / (elapsed_s * allowed)))
    return [(component, 100.0 * min(1.0, max(0.0, share))) for component, share in usage]
