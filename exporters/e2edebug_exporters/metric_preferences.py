"""How the store wants the SDK to aggregate: deltas, and histograms at one scale, so that rows merge exactly."""

from typing import Final

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation

from e2edebug_schema.histogram import SCALE

_MAX_BUCKETS: Final = 400
"""Enough for 50 doublings at scale 3: with the default of 160 the SDK halves the resolution over 40 µs to 60 s."""


def preferred_temporality() -> dict[type, AggregationTemporality]:
    """Return what the SDK takes as `preferred_temporality`. Cumulative values would be copied by a fork."""
    return dict.fromkeys((Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA)


def preferred_aggregation() -> dict[type, Aggregation]:
    """Return what the SDK takes as `preferred_aggregation`."""
    return {Histogram: ExponentialBucketHistogramAggregation(max_size=_MAX_BUCKETS, max_scale=SCALE)}


def point_count(data: MetricsData) -> int:
    """Return how many data points *data* holds."""
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
