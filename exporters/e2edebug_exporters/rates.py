"""Error rate and throughput of each component over an interval, beside its durations.

Whoever wants them for another span of time counts anew from the durations: rates are not to be averaged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.metrics.export import Gauge, Metric, NumberDataPoint

from e2edebug.policy import attributes as names

ERROR_RATE: Final = "error_rate"
THROUGHPUT: Final = "throughput"


@dataclass(frozen=True, slots=True)
class Counted:
    """What one component did."""

    layer: str
    component: str
    count: int
    error_count: int


def rates(counted: Iterable[Counted], since_unix_ns: int, now_unix_ns: int) -> list[Metric]:
    """Return both metrics, in percent and in operations a second."""
    interval_s = (now_unix_ns - since_unix_ns) / 1e9
    errors, operations = [], []
    for one in counted:
        facts = {"operations": one.count, "errors": one.error_count}
        errors.append(_point(one, since_unix_ns, interval_s, 100.0 * one.error_count / one.count, facts))
        if interval_s > 0:
            operations.append(_point(one, since_unix_ns, interval_s, one.count / interval_s, facts))
    return [
        Metric(ERROR_RATE, "share of operations that failed", "%", Gauge(errors)),
        Metric(THROUGHPUT, "operations in a second", "1/s", Gauge(operations)),
    ]


def _point(one: Counted, since_unix_ns: int, interval_s: float, value: float, facts: dict[str, int]) -> NumberDataPoint:
    return NumberDataPoint(
        attributes={
            names.LAYER: one.layer,
            names.COMPONENT: one.component,
            names.INTERVAL_S: interval_s,
            names.ERROR_COUNT: one.error_count,
            names.METADATA: facts,
        },
        # The start of the interval, which is the timestamp of its snapshots.
        start_time_unix_nano=None,  # type: ignore[arg-type] # as the SDK makes the points of a gauge
        time_unix_nano=since_unix_ns,
        value=value,
    )
