"""Histograms of any make become the store's: base-2 exponential buckets at its one scale.

Finer buckets join exactly. Coarser and explicit ones are spread over the store's buckets that they cover, evenly on
the logarithmic scale, because merging rows at the coarser of two scales would blur all the others.
"""

import math
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint, HistogramDataPoint

from e2edebug_schema.histogram import SCALE, Histogram, bucket_index


def of_exponential(point: ExponentialHistogramDataPoint, factor: float) -> Histogram:
    """Return the histogram of *point*, its values times *factor*. Negative values count as zero, as everywhere here."""
    minimum, maximum = _range(point.min, point.max, factor)
    histogram = Histogram(minimum=minimum, maximum=maximum)
    histogram.zero_count = max(0, int(point.zero_count)) + sum(_counts(point.negative.bucket_counts))
    shift = point.scale - SCALE
    for position, count in enumerate(_counts(point.positive.bucket_counts)):
        if not count:
            continue
        index = point.positive.offset + position
        if shift >= 0 and factor == 1.0:
            _add(histogram, index >> shift, count)
        else:
            width = 2.0 ** (SCALE - point.scale)
            moved = math.log2(factor) * 2**SCALE
            _spread(histogram, index * width + moved, (index + 1) * width + moved, count)
    return histogram


def of_explicit(point: HistogramDataPoint, factor: float) -> Histogram:
    """Return the histogram of a *point* with bounds of its own, its values times *factor*."""
    minimum, maximum = _range(point.min, point.max, factor)
    histogram = Histogram(minimum=minimum, maximum=maximum)
    bounds = [bound * factor for bound in point.explicit_bounds]
    for position, count in enumerate(_counts(point.bucket_counts)):
        if not count:
            continue
        upper = bounds[position] if position < len(bounds) else maximum or (bounds[-1] * 2 if bounds else 0.0)
        lower = bounds[position - 1] if position > 0 else minimum or 0.0
        if minimum is not None and minimum > lower:
            lower = minimum
        if maximum is not None and maximum < upper:
            upper = maximum
        if not upper > 0 or not math.isfinite(upper):
            histogram.zero_count += count
            continue
        lower = min(lower if lower > 0 else upper / _ASSUMED_WIDTH, upper)
        _spread(histogram, math.log2(lower) * 2**SCALE, math.log2(upper) * 2**SCALE, count)
    return histogram


def of_value(value: float) -> Histogram:
    """Return the histogram of one value."""
    histogram = Histogram()
    histogram.add(value)
    return histogram


def _spread(histogram: Histogram, lower: float, upper: float, count: int) -> None:
    """Spread *count* over the buckets between two positions on the logarithmic scale (buckets are 1 wide)."""
    if histogram.minimum is not None and histogram.minimum > 0:
        lower = max(lower, float(bucket_index(histogram.minimum)))
    if histogram.maximum is not None and histogram.maximum > 0:
        upper = min(upper, float(bucket_index(histogram.maximum) + 1))
    if not upper > lower:  # inside one bucket, or a minimum and maximum that contradict the buckets
        _add(histogram, math.ceil(upper) - 1, count)
        return
    pieces = min(count, _MOST_PIECES, max(1, math.ceil(upper - lower) * _PIECES_PER_BUCKET))
    share, rest = divmod(count, pieces)
    for piece in range(pieces):
        position = lower + (upper - lower) * (piece + 0.5) / pieces
        _add(histogram, math.floor(position), share + (piece < rest))


def _add(histogram: Histogram, index: int, count: int) -> None:
    index = min(max(index, _LEAST_INDEX), _GREATEST_INDEX)
    histogram.counts[index] = histogram.counts.get(index, 0) + count


def _counts(counts: Sequence[int]) -> list[int]:
    return [max(0, int(count)) for count in counts]


def _range(minimum: float | None, maximum: float | None, factor: float) -> tuple[float | None, float | None]:
    """Minimum and maximum where they were recorded: an empty point of the SDK says inf and -inf."""
    low = minimum * factor if minimum is not None and math.isfinite(minimum) else None
    high = maximum * factor if maximum is not None and math.isfinite(maximum) else None
    return (low, high) if low is None or high is None or low <= high else (None, None)


_ASSUMED_WIDTH: Final = 8.0
"""How far the lowest bucket of explicit bounds reaches down when nobody recorded the minimum: three doublings."""
_PIECES_PER_BUCKET: Final = 4
_MOST_PIECES: Final = 2048
_LEAST_INDEX: Final = -1074 * 2**SCALE
_GREATEST_INDEX: Final = 1024 * 2**SCALE
