"""What one reading of the system costs, beside OpenTelemetry's system-metrics, and what watching collections costs.

`python tests/benchmarks/bench_system.py`
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from paired_cost import compare, say_where

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


def main() -> None:
    say_where()
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
        compare(
            name,
            collector,
            peer=lambda config=config: observed(stock(config)),  # type: ignore[misc]
            ours=lambda: observed(SystemInstrumentor()),
            count=20,
        )

    @contextmanager
    def watched() -> Iterator[None]:
        pauses = GcPauses()
        pauses.start()
        try:
            yield
        finally:
            pauses.stop()

    @contextmanager
    def counted() -> Iterator[None]:
        # What a listener written by hand costs at least.
        def listener(_phase: str, _info: dict[str, int]) -> None:
            pass

        gc.callbacks.append(listener)
        try:
            yield
        finally:
            gc.callbacks.remove(listener)

    compare(
        "a young collection",
        lambda times: [gc.collect(0) for _ in range(times)],
        peer=counted,
        ours=watched,
        count=5000,
    )


if __name__ == "__main__":
    main()
