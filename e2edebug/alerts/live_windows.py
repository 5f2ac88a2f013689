"""The windows that end now, from the store: two queries, whatever the number of thresholds and targets."""

from collections.abc import Collection
from datetime import datetime, timedelta

from e2edebug.alerts.states import Target, Window
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug.alerts.windows import windows_at
from e2edebug_schema.queries.alert_windows import Interest, Slices, Totals, series_rows, window_totals
from e2edebug_schema.queries.metric_series import COUNTED_METRICS, MetricSeries
from e2edebug_schema.queries.reading import Source
from e2edebug_schema.thresholds import Threshold


def live_windows(
    source: Source,
    book: ThresholdBook,
    watched: Collection[Target],
    now: datetime,
    *,
    interval_s: float,
    min_id: int = 0,
) -> dict[Target, Window]:
    """Return what every target with a threshold measured up to *now*.

    watched: targets whose exact value is wanted even when it is far from any limit, because an alert may recover.
    """
    metrics, lengths_s = book.metrics(), book.window_lengths_s()
    expected = list(book.expecting_data())
    totals = window_totals(
        source,
        now=now,
        lengths_s=lengths_s,
        metrics=metrics,
        interval_s=interval_s,
        min_id=min_id,
        # Whether a whole layer is silent is seen from all of its components alone.
        interests=None if any(not one.component for one in expected) else _interests(book),
        watched={target.component for target in watched} | {one.component for one in expected},
    )
    windows: dict[Target, Window] = {}
    exact: set[Target] = set()
    for target, threshold, found in _judged(book, totals):
        bound = _bound(target, threshold, found)
        if bound is None:
            continue
        windows[target] = Window(value=bound, count=found.samples)
        if target in watched or threshold.level_of(bound) is not None:
            exact.add(target)
    if exact:
        rows = series_rows(
            source,
            since=now - timedelta(seconds=lengths_s[-1] + interval_s),
            until=now,
            metrics={(target.layer, target.metric_name) for target in exact},
            components={target.component for target in exact},
            min_id=min_id,
        )
        for target in exact:
            windows.pop(target)
        windows |= windows_at(MetricSeries(rows), book, now, only=exact)
    return windows


def _interests(book: ThresholdBook) -> dict[tuple[str, str], Interest] | None:
    """What may be beyond the limits of any threshold; None where that cannot be told from extremes."""
    found: dict[tuple[str, str], Interest] = {}
    for threshold in book.enabled():
        layer, name = threshold.layer, threshold.metric_name
        if name == "throughput":
            return None
        stored = COUNTED_METRICS.get(name)
        if stored is not None:
            found[layer, stored] = found.get((layer, stored), Interest())._replace(errors=True)
        known = found.get((layer, name), Interest())
        if threshold.lower_is_worse:
            limit = max(threshold.warning, threshold.critical)
            known = known._replace(at_most=limit if known.at_most is None else max(limit, known.at_most))
        else:
            limit = min(threshold.warning, threshold.critical)
            known = known._replace(at_least=limit if known.at_least is None else min(limit, known.at_least))
        found[layer, name] = known
    return found


def _judged(book: ThresholdBook, totals: Slices) -> list[tuple[Target, Threshold, Totals]]:
    """Every target of a threshold with its totals; of a counted metric those that count it, else its own."""
    found: dict[Target, tuple[Threshold, Totals]] = {}
    counted: dict[str, list[str]] = {}
    for name, stored in COUNTED_METRICS.items():
        counted.setdefault(stored, []).append(name)
    for layer, stored_name, component in totals.keys():  # noqa: SIM118 # not a dictionary
        for name in (stored_name, *counted.get(stored_name, ())):
            target = Target(layer, name, component)
            threshold = book.threshold_for(target)
            if threshold is None or (name == stored_name and target in found):
                continue
            within = totals.within((layer, stored_name, component), threshold.window_s)
            if within is not None:
                found[target] = (threshold, within._replace(is_counted=name != stored_name))
    return [(target, threshold, within) for target, (threshold, within) in found.items()]


def _bound(target: Target, threshold: Threshold, totals: Totals) -> float | None:
    """The exact value where totals tell it, else the worst that it can be."""
    if totals.is_counted:
        if not totals.samples:
            return None
        if target.metric_name == "error_rate":
            return 100.0 * totals.error_count / totals.samples
        return totals.samples / threshold.window_s
    return totals.minimum if threshold.lower_is_worse else totals.maximum
