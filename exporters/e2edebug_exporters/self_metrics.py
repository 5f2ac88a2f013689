"""The pipeline's own books as snapshot rows: layer `system`, component `e2edebug`."""

import time
from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource

from e2edebug.policy import attributes as names
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.span_metrics import SCOPE

LAYER: Final = "system"
COMPONENT: Final = "e2edebug"
UNIT: Final = "rows"


class SelfMetrics:
    """Gives the ledger as gauges, as long as something happens besides these gauges themselves."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        resource: Callable[[], Resource | None] = lambda: None,
        now_unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._ledger = ledger
        self._resource = resource
        self._now_unix_ns = now_unix_ns
        self.reset()

    def reset(self) -> None:
        """Begin with an empty ledger, in a forked child."""
        self._last_emitted = 0

    def collect(self) -> MetricsData | None:
        """Return one gauge per count and drop reason; None while the process is idle."""
        reading = self._ledger.read()
        if reading.emitted == self._last_emitted:
            return None
        counts = {
            "emitted": reading.emitted,
            "stored": reading.stored,
            "already_there": reading.already_there,
            "queued": reading.queued,
            "spooled": reading.spooled,
            "retried": reading.retried,
            "adopted": sum(reading.adopted.values()),
            "dropped": sum(reading.dropped.values()),
        } | {f"dropped.{reason}": count for reason, count in reading.dropped.items()}
        # These gauges will be emitted as well; without counting them ahead they would keep themselves going for ever.
        self._last_emitted = reading.emitted + len(counts)
        now = self._now_unix_ns()
        attributes = {names.LAYER: LAYER, names.COMPONENT: COMPONENT}
        metrics = [
            Metric(name, "", UNIT, Gauge([NumberDataPoint(attributes, 0, now, count)]))
            for name, count in counts.items()
        ]
        return MetricsData(
            [ResourceMetrics(self._resource() or Resource.get_empty(), [ScopeMetrics(SCOPE, metrics, "")], "")]
        )
