"""What several stored windows of one series come to."""

import math
from dataclasses import dataclass, field

from e2edebug_schema.histogram import Histogram


@dataclass(slots=True)
class MetricSum:
    """The sum of one series while its windows are being read."""

    histogram: Histogram = field(default_factory=Histogram)
    error_count: int = 0
    total: float = 0.0
    count: int = 0
    worst_value: float = -math.inf
    worst_correlation_id: str | None = None

    def add(
        self,
        metric_value: float | None,
        count: int,
        total: float | None,
        minimum: float | None,
        maximum: float | None,
        error_count: int,
        buckets: str | None,
        correlation_id: str | None,
    ) -> None:
        """Take in one window. metric_value: of a reading, which has no buckets and counts as one value."""
        self.error_count += error_count
        if buckets is not None:
            self.histogram.merge_encoded(buckets, minimum=minimum, maximum=maximum)
        elif metric_value is not None:
            self.histogram.add(metric_value)
            count, total, maximum = 1, metric_value, metric_value
        else:
            return
        self.count += count
        self.total += total or 0.0
        if maximum is not None and maximum > self.worst_value and correlation_id is not None:
            self.worst_value, self.worst_correlation_id = maximum, correlation_id
