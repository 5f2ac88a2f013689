"""How often caches had what they were asked for, counted for every span that says so, whether or not it was sampled."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics.export import Gauge, Metric, NumberDataPoint

from e2edebug.policy import attributes as names

METRIC_NAME: Final = "hit_rate"
UNIT: Final = "%"
LOOKUPS: Final = "lookups"


class HitRates:
    """Counts hits and misses by component; not safe for threads, the caller holds a lock."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def count(self, component: str, attributes: Mapping[str, Any]) -> None:
        """Count what one ended span of layer cache says of its look-up; nothing if it was none."""
        hits, misses = attributes.get(names.CACHE_HITS), attributes.get(names.CACHE_MISSES)
        if type(hits) is int and type(misses) is int and hits + misses > 0:
            counts = self._counts.setdefault(component, [0, 0])
            counts[0] += hits
            counts[1] += hits + misses

    def collect(self, since_unix_ns: int, now_unix_ns: int) -> Metric | None:
        """Return the hit rate of each component since the last call, in percent, and begin again. None: no look-up."""
        counts, self._counts = self._counts, {}
        if not counts:
            return None
        points = [
            NumberDataPoint(
                attributes={
                    names.LAYER: "cache",
                    names.COMPONENT: component,
                    names.INTERVAL_S: (now_unix_ns - since_unix_ns) / 1e9,
                    names.METADATA: {"hits": hits, LOOKUPS: lookups},
                },
                # The start of the interval, which is the timestamp of its snapshots.
                start_time_unix_nano=None,  # type: ignore[arg-type] # as the SDK makes the points of a gauge
                time_unix_nano=since_unix_ns,
                value=100.0 * hits / lookups,
            )
            for component, (hits, lookups) in counts.items()
        ]
        return Metric(METRIC_NAME, "share of the keys asked for that were there", UNIT, Gauge(points))
