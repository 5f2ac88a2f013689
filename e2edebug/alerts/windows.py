"""Windows of the past, from series in memory: for catching up, back tests and stories."""

from collections.abc import Collection
from datetime import datetime, timedelta

from e2edebug.alerts.states import Target, Window
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug_schema.queries.metric_series import MetricSeries, aggregate


def windows_at(
    series: MetricSeries, book: ThresholdBook, now: datetime, *, only: Collection[Target] | None = None
) -> dict[Target, Window]:
    """Return what every target of a threshold measured up to *now*, each over its threshold's own window."""
    windows: dict[Target, Window] = {}
    for layer, metric_name in book.metrics():
        for key in series.keys(layer, metric_name):
            target = Target(*key)
            threshold = book.threshold_for(target)
            if threshold is None or (only is not None and target not in only):
                continue
            rows = series.rows(key, start=now - timedelta(seconds=threshold.window_s), end=now)
            found = aggregate(
                rows,
                metric_name,
                threshold.aggregation,
                window_s=threshold.window_s,
                lower_is_worse=threshold.lower_is_worse,
            )
            if found is not None:
                windows[target] = Window(value=found.value, count=found.samples, examples=found.examples)
    return windows
