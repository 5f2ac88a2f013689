"""Distributions as the `buckets` column keeps them: they merge exactly, so percentiles hold over any span of time.

OpenTelemetry's base-2 exponential histogram (metrics data model, "ExponentialHistogram") at one fixed scale, stored
sparse: `{"s":3,"z":0,"b":[[45,2],[46,1]]}` is the scale, the count of zeros, and index and count of each bucket, ascending.
Pairs, not an object by index, so that SQL can unfold them: MariaDB 10.11 finds no key that begins with a minus
(`JSON_EXTRACT('{"b":{"-7":1}}', '$.b."-7"')` is NULL), and every value below 1 has a negative index.
Bucket *i* holds values above base**i up to base**(i + 1), with base = 2 ** (2 ** -scale). At scale 3 that is 2**(1/8):
measured, a p95 is off by 2.4 % in the median and 4.4 % at most.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

SCALE: Final = 3


@dataclass(slots=True)
class Histogram:
    """Counts by bucket index. Values of zero and below are counted as zero."""

    scale: int = SCALE
    zero_count: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Return the histogram of *values*; what is not a finite number is left out."""
        histogram = cls()
        for value in values:
            histogram.add(value)
        return histogram

    @classmethod
    def decode(cls, text: str, *, minimum: float | None = None, maximum: float | None = None) -> Self:
        """Return the histogram that encode() wrote. Raises ValueError when *text* is something else."""
        try:
            document = json.loads(text)
            counts = {int(index): int(count) for index, count in _pairs(document["b"])}
            return cls(int(document["s"]), int(document["z"]), counts, minimum, maximum)
        except (KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"not a stored histogram: {text[:100]!r}") from error

    def encode(self) -> str:
        """Return the text of the `buckets` column; minimum and maximum have columns of their own."""
        return encode(self.counts, zero_count=self.zero_count, scale=self.scale)

    @property
    def count(self) -> int:
        """How many values were counted."""
        return self.zero_count + sum(self.counts.values())

    def add(self, value: float, count: int = 1) -> None:
        """Count *value* *count* times."""
        if not math.isfinite(value):
            return
        if value <= 0:
            self.zero_count += count
        else:
            index = bucket_index(value, self.scale)
            self.counts[index] = self.counts.get(index, 0) + count
        self._widen(value, value)

    def merge(self, other: "Histogram") -> None:
        """Add the counts of *other*, at the coarser of the two scales."""
        self._merge(other.counts, other.scale, other.zero_count)
        self._widen(other.minimum, other.maximum)

    def merge_encoded(self, text: str, *, minimum: float | None = None, maximum: float | None = None) -> None:
        """Add what encode() wrote, as merge() of its decode() would, in less time.

        Raises ValueError when *text* is something else.
        """
        try:
            document = json.loads(text)
            added, zero_count = dict(document["b"]), document["z"]
            is_plain = document["s"] == self.scale and {
                type(zero_count),
                *map(type, added),
                *map(type, added.values()),
            } == {int}
        except (KeyError, TypeError, ValueError):
            is_plain = False
        if not is_plain or len(added) != len(document["b"]):
            self.merge(Histogram.decode(text, minimum=minimum, maximum=maximum))
            return
        known = self.counts
        for index, count in added.items():
            known[index] = known.get(index, 0) + count
        self.zero_count += zero_count
        self._widen(minimum, maximum)

    def percentile(self, percent: float) -> float | None:
        """Return the value below which *percent* (0 to 100) of the values lie; None when there are none.

        Interpolated within its bucket on the logarithmic scale, and never outside minimum and maximum where known.
        """
        return percentile(
            self.counts,
            percent,
            zero_count=self.zero_count,
            scale=self.scale,
            minimum=self.minimum,
            maximum=self.maximum,
        )

    def _merge(self, counts: Mapping[int, int], scale: int, zero_count: int) -> None:
        coarser = min(self.scale, scale)
        if self.scale != coarser:
            self.counts, self.scale = _at_scale(self.counts, self.scale - coarser), coarser
        if scale != coarser:
            counts = _at_scale(counts, scale - coarser)
        known = self.counts
        for index, count in counts.items():
            known[index] = known.get(index, 0) + count
        self.zero_count += zero_count

    def _widen(self, minimum: float | None, maximum: float | None) -> None:
        if minimum is not None:
            self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
        if maximum is not None:
            self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)


def encode(counts: Mapping[int, int], *, zero_count: int = 0, scale: int = SCALE) -> str:
    """Return the text of the `buckets` column for *counts* by bucket index."""
    buckets = ",".join(f"[{index},{counts[index]}]" for index in sorted(counts) if counts[index])
    return f'{{"s":{scale},"z":{zero_count},"b":[{buckets}]}}'


def percentile(
    counts: Mapping[int, int],
    percent: float,
    *,
    zero_count: int = 0,
    scale: int = SCALE,
    minimum: float | None = None,
    maximum: float | None = None,
) -> float | None:
    """Return the value below which *percent* of the counted values lie; see Histogram.percentile()."""
    total = zero_count + sum(counts.values())
    if total == 0:
        return None
    wanted = total * percent / 100
    passed = float(zero_count)
    value = 0.0
    if wanted > passed:
        for index in sorted(counts):
            count = counts[index]
            if count and passed + count >= wanted:
                value = 2.0 ** ((index + (wanted - passed) / count) / 2**scale)
                break
            passed += count
    if minimum is not None:
        value = max(value, minimum)
    return value if maximum is None else min(value, maximum)


def bucket_index(value: float, scale: int = SCALE) -> int:
    """Return the bucket of a *value* above zero."""
    mantissa, exponent = math.frexp(value)
    if mantissa == 0.5:  # a power of two is the upper bound of its bucket; the logarithm need not come out exact
        return ((exponent - 1) << scale) - 1
    return math.ceil(math.ldexp(math.log2(value), scale)) - 1


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise TypeError("the buckets are not a list of pairs")
    return [(index, count) for index, count in value]


def _at_scale(counts: Mapping[int, int], shift: int) -> dict[int, int]:
    """Each step down in scale joins two neighbouring buckets."""
    coarser: dict[int, int] = {}
    for index, count in counts.items():
        coarser[index >> shift] = coarser.get(index >> shift, 0) + count
    return coarser
