"""Gauges of the machine, the container and the process, read whenever metrics are collected."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from opentelemetry import metrics
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from e2edebug.policy import attributes
from e2edebug_instrumentation.system.event_loop_lag import EventLoopLag
from e2edebug_instrumentation.system.gc_pauses import GcPauses
from e2edebug_instrumentation.system.readings import UNITS, SystemReadings
from e2edebug_instrumentation.system.worker_busy import WorkerBusy


class SystemInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Observes layer `system`; a singleton, undone by uninstrument(). instrument() takes `meter_provider`."""

    _readings: SystemReadings | None = None
    _has_gauges = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: psutil comes with e2edebug."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._pauses, self._lag, self._busy = GcPauses(), EventLoopLag(), WorkerBusy()
        for part in (self._pauses, self._lag, self._busy):
            part.start()
        self._readings = SystemReadings(pauses=self._pauses, lag=self._lag, busy=self._busy)
        self._readings.prime()
        meter_provider: MeterProvider | None = kwargs.get("meter_provider")
        # A gauge cannot be taken back; one that nobody wants any more observes nothing.
        if meter_provider is not None:
            self._make_gauges(meter_provider)
        elif not SystemInstrumentor._has_gauges:
            SystemInstrumentor._has_gauges = True
            self._make_gauges(metrics.get_meter_provider())

    def _uninstrument(self, **_: Any) -> None:
        self._readings = None
        for part in (self._pauses, self._lag, self._busy):
            part.stop()

    def _make_gauges(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("e2edebug.system")
        for name, unit in UNITS.items():
            meter.create_observable_gauge(name, [self._observer_of(name)], unit)

    def _observer_of(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            readings = self._readings
            if readings is None:
                return ()
            return [
                Observation(value, {attributes.LAYER: "system", attributes.COMPONENT: component})
                for component, value in readings.values().get(name, ())
            ]

        return observe
