"""One metric over time, and how it compares with the time before: for charts and for "is it worse than yesterday?"."""

from dataclasses import dataclass
from datetime import datetime

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.queries.snapshots import MetricSummary, merged_histograms


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTotal:
    """All values of one span of time; percentiles are those of the merged histograms."""

    since: datetime
    until: datetime
    count: int
    error_count: int
    mean: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    worst_correlation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """A metric of one layer, of one of its components or of all together."""

    unit: str
    points: list[MetricSummary]
    """One per period that has values, oldest first, all components merged."""
    current: SeriesTotal
    previous: SeriesTotal
    """The same length of time before."""


def metric_series(
    source: Source,
    *,
    layer: str,
    metric_name: str,
    since: datetime,
    until: datetime,
    period_s: int,
    component: str | None = None,
    service: str | None = None,
) -> MetricSeries:
    """Return the metric in periods of *period_s* from *since* to *until*, and the totals of this and the span before.

    Of several units, which only different services would use, the one with the most values is shown.
    """
    with reading(source) as connection:
        summaries, before = (
            merged_histograms(
                connection, since=start, until=end, metric_name=metric_name, layer=layer, component=component,
                service=service, period_s=period,
            )
            for start, end, period in ((since, until, period_s), (since - (until - since), since, None))
        )  # fmt: skip
    unit = _main_unit(summaries or before)
    current = [summary for summary in summaries if summary.unit == unit]
    points: dict[datetime, list[MetricSummary]] = {}
    for summary in current:
        assert summary.period_start is not None  # period_s was given
        points.setdefault(summary.period_start, []).append(summary)
    return MetricSeries(
        unit=unit,
        points=[_merged(points[start]) for start in sorted(points)],
        current=_total(current, since=since, until=until),
        previous=_total(
            [summary for summary in before if summary.unit == unit], since=since - (until - since), until=since
        ),
    )


def _main_unit(summaries: list[MetricSummary]) -> str:
    counts: dict[str, int] = {}
    for summary in summaries:
        counts[summary.unit] = counts.get(summary.unit, 0) + summary.count
    return max(sorted(counts), key=counts.__getitem__, default="")


def _merged(summaries: list[MetricSummary]) -> MetricSummary:
    """All components as one."""
    first = summaries[0]
    total = _total(summaries, since=first.period_start, until=first.period_start)  # type: ignore[arg-type] # checked by the caller
    return MetricSummary(
        layer=first.layer,
        component=first.component if len(summaries) == 1 else "",
        metric_name=first.metric_name,
        unit=first.unit,
        period_start=first.period_start,
        count=total.count,
        error_count=total.error_count,
        sum=sum(summary.sum for summary in summaries),
        min=total.min,
        max=total.max,
        p50=total.p50,
        p95=total.p95,
        p99=total.p99,
        histogram=first.histogram,
        worst_correlation_id=total.worst_correlation_id,
    )


def _total(summaries: list[MetricSummary], *, since: datetime, until: datetime) -> SeriesTotal:
    histogram = Histogram()
    for summary in summaries:
        histogram.merge(summary.histogram)
    count = sum(summary.count for summary in summaries)
    known = [summary for summary in summaries if summary.worst_correlation_id is not None and summary.max is not None]
    worst = max(known, key=lambda summary: summary.max or 0.0, default=None)
    return SeriesTotal(
        since=since,
        until=until,
        count=count,
        error_count=sum(summary.error_count for summary in summaries),
        mean=sum(summary.sum for summary in summaries) / count if count else None,
        min=histogram.minimum,
        max=histogram.maximum,
        p50=histogram.percentile(50),
        p95=histogram.percentile(95),
        p99=histogram.percentile(99),
        worst_correlation_id=worst.worst_correlation_id if worst is not None else None,
    )
