"""Layer `system` as it is exported, on this machine and in its own processes."""

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from e2edebug_instrumentation.system import event_loop_lag
from e2edebug_instrumentation.system.cgroup import Cgroup
from e2edebug_instrumentation.system.event_loop_lag import EventLoopLag
from e2edebug_instrumentation.system.gc_pauses import GcPauses
from e2edebug_instrumentation.system.instrumentor import SystemInstrumentor
from e2edebug_instrumentation.system.readings import UNITS, SystemReadings
from e2edebug_instrumentation.system.worker_busy import WorkerBusy


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readings(clock: Clock, tmp_path: Path) -> SystemReadings:
    """Readings in a container with half of this process's memory as its limit, and half a processor."""
    rss = psutil.Process().memory_info().rss
    for name, text in {
        "memory.max": str(2 * rss), "memory.current": str(rss), "memory.stat": "inactive_file 0",
        "cpu.max": "50000 100000", "cpu.stat": "usage_usec 1000000",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return SystemReadings(
        pauses=GcPauses(), lag=EventLoopLag(), busy=WorkerBusy(), clock=clock,
        cgroup=lambda: Cgroup(tmp_path, tmp_path / "own"),
    )  # fmt: skip


def test_memory_is_in_percent_of_machine_and_container(readings: SystemReadings) -> None:
    usage = dict(readings.values()["memory_usage"])

    assert usage["host"] == pytest.approx(psutil.virtual_memory().percent, abs=10)
    assert usage["container"] == pytest.approx(50.0)
    assert usage["process"] == pytest.approx(50.0, rel=0.2), "of what the container may use"


def test_processors_are_in_percent_of_those_that_may_be_used(
    readings: SystemReadings, clock: Clock, tmp_path: Path
) -> None:
    assert "cpu_usage" not in readings.values(), "there is nothing yet to compare with"
    (tmp_path / "cpu.stat").write_text("usage_usec 5000000")
    busy_until = time.process_time() + 0.05
    while time.process_time() < busy_until:
        pass
    clock.now += 10

    usage = dict(readings.values()["cpu_usage"])

    assert usage["container"] == pytest.approx(80.0), "4 s of the 5 s that half a processor has in 10 s"
    assert 0.5 <= usage["process"] <= 100.0
    assert 0.0 <= usage["host"] <= 100.0


def test_who_asks_twice_within_a_second_gets_the_same(readings: SystemReadings, clock: Clock) -> None:
    first = readings.values()
    clock.now += 0.5
    again = readings.values()
    clock.now += 0.6

    assert again is first
    assert readings.values() is not first


def test_a_forked_child_reports_itself(readings: SystemReadings) -> None:
    readings.values()
    ballast = bytearray(64 * 1024 * 1024)
    for at in range(0, len(ballast), 4096):
        ballast[at] = 1
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, f"{readings.values()['memory_rss'][0][1]} {readings._process.pid} {os.getpid()}".encode())
        os._exit(0)
    os.waitpid(child, 0)

    rss, reported, own = os.read(reader, 200).decode().split()

    os.close(reader)
    os.close(writer)
    assert (reported, int(own)) == (own, child)
    assert float(rss) > 0


def test_the_longest_collection_is_told_and_counting_begins_again() -> None:
    pauses = GcPauses()
    pauses.start()
    try:
        heap = [[number] for number in range(200_000)]
        gc.collect()
        first = pauses.take()
        second = pauses.take()
    finally:
        pauses.stop()

    assert len(heap) == 200_000
    assert 0 < first.longest_ms <= first.total_ms
    assert second.longest_ms <= first.longest_ms
    assert pauses not in gc.callbacks


def test_a_loop_that_is_held_up_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop_lag, "TICK_S", 0.01)
    lag = EventLoopLag()
    lag.start()

    async def serve() -> float | None:
        lag.watch(asyncio.get_running_loop())
        await asyncio.sleep(0.02)
        lag.take()
        time.sleep(0.15)  # what a synchronous call in an async view does
        await asyncio.sleep(0.05)
        return lag.take()

    held_up_ms = asyncio.run(serve())
    lag.stop()

    assert held_up_ms is not None
    assert held_up_ms >= 100
    assert lag.take() is None, "a loop that is closed is watched no more"


@pytest.fixture
def exported() -> Iterator[InMemoryMetricReader]:
    """What a host's own set-up of OpenTelemetry exports while the instrumentor is on."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrumentor = SystemInstrumentor()
    instrumentor.instrument(meter_provider=provider)
    yield reader
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    provider.shutdown()


def names_in(reader: InMemoryMetricReader) -> dict[str, str]:
    data: Any = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: metric.unit
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.data.data_points
    }


def test_the_gauges_have_the_names_and_units_that_are_documented(exported: InMemoryMetricReader) -> None:
    found = names_in(exported)

    assert found.items() <= UNITS.items()
    assert {"memory_usage", "memory_rss", "thread_count", "open_files"} <= found.keys()


def test_switched_off_nothing_is_observed(exported: InMemoryMetricReader) -> None:
    SystemInstrumentor().uninstrument()

    assert names_in(exported) == {}
    assert not any(isinstance(callback, GcPauses) for callback in gc.callbacks)
