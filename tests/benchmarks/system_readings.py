"""What one reading of the system costs, beside OpenTelemetry's system-metrics, and what watching collections costs.

`make bench ARGS=system_readings`.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.paired_cost import compare, result_of
from benchmarks.result import Case, Result
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from e2edebug_instrumentation.system.event_loop_lag import EventLoopLag
from e2edebug_instrumentation.system.gc_pauses import GcPauses
from e2edebug_instrumentation.system.instrumentor import SystemInstrumentor

RESTRICTED: dict[str, Any] = {
    "system.cpu.utilization": ["idle", "user", "system", "iowait"],
    "system.memory.utilization": ["used"],
    "process.cpu.utilization": ["user", "system"],
    "process.memory.usage": None,
    "process.thread.count": None,
    "process.open_file_descriptor.count": None,
}
"""As near to our set as theirs comes."""


class Collector:
    """Collects from whatever is being observed now."""

    reader: InMemoryMetricReader | None = None

    def __call__(self, times: int) -> None:
        for _ in range(times):
            own = SystemInstrumentor()._readings
            if own is not None and own._read_at is not None:
                own._read_at -= 60.0  # a minute later
            if self.reader is not None:
                self.reader.get_metrics_data()


EXPLANATION = """\
One reading of the system's metrics, beside OpenTelemetry's system-metrics with its default set and with the set nearest
to ours; a garbage collection that is timed, and a loop of events whose lag is watched, which have no peer. CPU time of
one reading, of one collection of young objects, and of one request's look at its loop (beside it, a timer twice a
second).
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    collector = Collector()

    @contextmanager
    def observed(instrumentor: Any) -> Iterator[None]:
        collector.reader = InMemoryMetricReader()
        provider = MeterProvider([collector.reader], shutdown_on_exit=False)
        instrumentor.instrument(meter_provider=provider)
        try:
            yield
        finally:
            instrumentor.uninstrument()
            provider.shutdown()
            collector.reader = None

    def stock(config: dict[str, Any] | None) -> Any:
        # A singleton that keeps its first configuration.
        SystemMetricsInstrumentor._instance = None
        return SystemMetricsInstrumentor(config=config) if config is not None else SystemMetricsInstrumentor()

    for name, config in (("reading, their default set", None), ("reading, their nearest set", RESTRICTED)):
        cases.append(
            compare(
                name,
                collector,
                peer=lambda config=config: observed(stock(config)),  # type: ignore[misc]
                ours=lambda: observed(SystemInstrumentor()),
                count=20,
                quick=quick,
            )
        )

    @contextmanager
    def watched() -> Iterator[None]:
        pauses = GcPauses()
        pauses.start()
        try:
            yield
        finally:
            pauses.stop()

    cases.append(
        compare(
            "a young collection",
            lambda times: [gc.collect(0) for _ in range(times)],
            peer=None,
            ours=watched,
            count=5000,
            quick=quick,
        )
    )
    lag = EventLoopLag()

    async def answer(times: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(times):
            if lag._is_active:
                lag.watch(loop)  # as each request does

    @contextmanager
    def lag_watched() -> Iterator[None]:
        lag._is_active = True
        try:
            yield
        finally:
            lag.stop()

    cases.append(
        compare(
            "a request, its loop watched",
            lambda times: asyncio.run(answer(times)),
            peer=None,
            ours=lag_watched,
            count=20_000,
            quick=quick,
        )
    )
    return [result_of("system_readings", "Watching the process", EXPLANATION, cases)]
