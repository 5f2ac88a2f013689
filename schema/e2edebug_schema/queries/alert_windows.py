"""What the evaluator reads of the snapshots: totals of every target in one query, rows only of those that may be over.

Neither query looks at a span, and their number does not depend on how many thresholds, targets or windows there are.
Percentiles lie between the smallest and the largest value: a target whose largest value is under the limit needs no
histogram. Decoding all of 50,000 histograms would take seconds.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select

from e2edebug_schema.queries.metric_series import COUNTED_METRICS, Key, SeriesRow
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import performance_snapshot

MOST_COMPONENTS_BY_NAME: Final = 500
"""More than so many are not worth naming in the query."""

_columns = performance_snapshot.c


class Totals(NamedTuple):
    """What the rows of one target in one slice of time come to, without their distributions."""

    samples: int
    sum: float
    minimum: float | None
    maximum: float | None
    error_count: int
    is_counted: bool = False
    """They are wanted as another metric, such as the error rate of response times."""


class Interest(NamedTuple):
    """Which totals of one layer and stored metric are worth fetching: those that may lie beyond a limit."""

    at_least: float | None = None
    """The lowest limit that is passed upwards."""
    at_most: float | None = None
    """The highest limit that is passed downwards."""
    errors: bool = False
    """Any target that had an error."""


class Slices:
    """Totals by target and slice; slice i holds what window i has and the shorter ones before it have not."""

    def __init__(self, lengths_s: Sequence[int]) -> None:
        self.lengths_s = tuple(lengths_s)
        self._totals: dict[Key, dict[int, Totals]] = {}

    def add(self, key: Key, part: int, totals: Totals) -> None:
        """Take in one row of the query."""
        self._totals.setdefault(key, {})[part] = totals

    def keys(self) -> Collection[Key]:
        """Return every target that has rows."""
        return self._totals.keys()

    def within(self, key: Key, window_s: int) -> Totals | None:
        """Return the totals of the window of that length; None when it has no rows."""
        parts = self._totals.get(key)
        if parts is None:
            return None
        last = self.lengths_s.index(window_s)
        found = [totals for part, totals in parts.items() if part <= last]
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        lows = [one.minimum for one in found if one.minimum is not None]
        highs = [one.maximum for one in found if one.maximum is not None]
        return Totals(
            samples=sum(one.samples for one in found),
            sum=sum(one.sum for one in found),
            minimum=min(lows, default=None),
            maximum=max(highs, default=None),
            error_count=sum(one.error_count for one in found),
        )


def newest_snapshot_id(source: Source) -> int:
    """Return the number of the snapshot that was stored last, 0 when there is none."""
    with reading(source) as connection:
        return int(connection.execute(select(func.max(_columns.id))).scalar() or 0)


def window_totals(
    source: Source,
    *,
    now: datetime,
    lengths_s: Sequence[int],
    metrics: Collection[tuple[str, str]],
    interval_s: float,
    min_id: int = 0,
    interests: Mapping[tuple[str, str], Interest] | None = None,
    watched: Collection[str] = (),
) -> Slices:
    """Return the totals of every target of *metrics* (layer and name) in the windows that end at *now*.

    lengths_s: ascending. interval_s: how long a snapshot's interval is; one that reaches into a window belongs to it.
    interests: leaves out what cannot be beyond a limit, but for the components *watched*; None leaves nothing out. What
    comes back of a target may then lack those of its slices that are of no interest.
    """
    slices = Slices(lengths_s)
    if not metrics or not lengths_s:
        return slices
    part = case(
        *(
            (_reaches(now - timedelta(seconds=length), interval_s), literal(index))
            for index, length in enumerate(lengths_s)
        )
    )
    longest = timedelta(seconds=lengths_s[-1])
    counts = _columns.buckets.is_not(None) | _columns.metric_value.is_not(None)
    query = (
        select(
            _columns.layer, _columns.metric_name, _columns.component, part.label("part"),
            func.sum(_columns.count), func.sum(func.coalesce(_columns.sum, _columns.metric_value)),
            func.min(func.coalesce(_columns.min, _columns.metric_value)),
            func.max(func.coalesce(_columns.max, _columns.metric_value)),
            func.sum(_columns.error_count),
        )
        .where(
            # The plain bound is what the index can use.
            *_of_metrics(metrics), _columns.timestamp >= now - longest - timedelta(seconds=interval_s),
            _columns.timestamp < now, _reaches(now - longest, interval_s), counts,
            *([_columns.id > min_id] if min_id else []),
        )
        .group_by(_columns.layer, _columns.metric_name, _columns.component, "part")
    )  # fmt: skip
    if interests is not None and len(watched) <= MOST_COMPONENTS_BY_NAME:
        query = query.having(or_(_columns.component.in_(sorted(watched)), *_interesting(interests)))
    with reading(source) as connection:
        for layer, metric, component, index, samples, total, low, high, errors in connection.execute(query):
            slices.add((layer, metric, component), index, Totals(int(samples), total or 0.0, low, high, int(errors)))
    return slices


def series_rows(
    source: Source,
    *,
    since: datetime,
    until: datetime,
    metrics: Collection[tuple[str, str]],
    components: Collection[str] | None = None,
    min_id: int = 0,
) -> list[SeriesRow]:
    """Return the snapshots of *metrics* whose interval began in the period, for MetricSeries.

    components: None, or more than a few hundred, do not restrict.
    """
    if not metrics:
        return []
    query = select(
        _columns.id, _columns.layer, _columns.metric_name, _columns.component, _columns.timestamp, _columns.interval_s,
        _columns.metric_value, _columns.count, _columns.sum, _columns.min, _columns.max, _columns.error_count,
        _columns.buckets, _columns.correlation_id,
        # Only shares have a weight of their own, and theirs is in the metadata.
        case((_columns.metric_name == "hit_rate", _columns.metadata)),
    ).where(*_of_metrics(metrics), _columns.timestamp >= since, _columns.timestamp < until)  # fmt: skip
    if components is not None and len(components) <= MOST_COMPONENTS_BY_NAME:
        query = query.where(_columns.component.in_(sorted(components)))
    if min_id:
        query = query.where(_columns.id > min_id)
    with reading(source) as connection:
        return [_row(values) for values in connection.execute(query)]


def stored_metrics(metrics: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the layers and metrics whose rows *metrics* are told from."""
    return set(metrics) | {(layer, COUNTED_METRICS[name]) for layer, name in metrics if name in COUNTED_METRICS}


def _row(values: Any) -> SeriesRow:
    *plain, metadata = values
    lookups = 0
    if metadata is not None:
        try:
            told = json.loads(metadata).get("lookups", 0)
        except (ValueError, AttributeError):
            told = 0
        lookups = told if isinstance(told, int) and told > 0 else 0
    return SeriesRow._make((*plain, lookups))


def _reaches(start: datetime, interval_s: float) -> ColumnElement[bool]:
    """The condition that a snapshot holds something from after *start*; a point is a moment, the others have an interval."""
    if not interval_s:
        return _columns.timestamp >= start
    return or_(
        _columns.timestamp >= start,
        and_(_columns.interval_s > 0, _columns.timestamp > start - timedelta(seconds=interval_s)),
    )


def _interesting(interests: Mapping[tuple[str, str], Interest]) -> Iterator[ColumnElement[bool]]:
    # Read row by row in Python, 10,000 targets that are well would cost more than the server's whole work.
    for (layer, name), interest in sorted(interests.items()):
        beyond: list[ColumnElement[bool]] = []
        if interest.at_least is not None:
            beyond.append(func.max(func.coalesce(_columns.max, _columns.metric_value)) >= interest.at_least)
        if interest.at_most is not None:
            beyond.append(func.min(func.coalesce(_columns.min, _columns.metric_value)) <= interest.at_most)
        if interest.errors:
            beyond.append(func.sum(_columns.error_count) > 0)
        if beyond:
            yield and_(_columns.layer == layer, _columns.metric_name == name, or_(*beyond))


def _of_metrics(metrics: Collection[tuple[str, str]]) -> list[ColumnElement[bool]]:
    stored = stored_metrics(metrics)
    by_layer: dict[str, list[str]] = {}
    for layer, name in sorted(stored):
        by_layer.setdefault(layer, []).append(name)
    return [or_(*(and_(_columns.layer == layer, _columns.metric_name.in_(names)) for layer, names in by_layer.items()))]
