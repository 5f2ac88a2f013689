"""A metric against the time before, yesterday and last week, with the releases and alerts of the time as marks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from e2edebug_schema.queries.alert_evidence import SeenRelease, releases_at_work, releases_between
from e2edebug_schema.queries.alert_windows import series_rows
from e2edebug_schema.queries.alerts import StoredAlert, list_alerts
from e2edebug_schema.queries.metric_series import MetricSeries, aggregate
from e2edebug_schema.queries.reading import Source, reading

EARLIER: Final = {"yesterday": timedelta(days=1), "last_week": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value for a span of time, and what it was in another one."""

    value: float | None
    samples: int
    change_pct: float | None
    """How much more it is now than then; None where either is not known."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What happened meanwhile."""

    releases: list[SeenRelease]
    alerts: list[StoredAlert]


def compare(
    source: Source, *, layer: str, component: str, metric_name: str, aggregation: str, since: datetime, until: datetime
) -> dict[str, Comparison]:
    """Return the metric of the period (`now`) and of the same length `before` it, `yesterday` and `last_week`."""
    length = until - since
    spans = {"now": timedelta(), "before": length, **EARLIER}
    found: dict[str, tuple[float | None, int]] = {}
    with reading(source) as connection:
        for name, back in spans.items():
            start, end = since - back, until - back
            rows = series_rows(
                connection, since=start, until=end, metrics={(layer, metric_name)}, components={component}
            )
            series = MetricSeries(rows).rows((layer, metric_name, component), start=start, end=end)
            one = aggregate(series, metric_name, aggregation, window_s=max(length.total_seconds(), 1.0))
            found[name] = (None, 0) if one is None else (one.value, one.samples)
    current = found["now"][0]
    return {
        name: Comparison(value, samples, None if name == "now" else _change_pct(current, value))
        for name, (value, samples) in found.items()
    }


def marks(source: Source, *, layer: str, component: str, metric_name: str, since: datetime, until: datetime) -> Marks:
    """Return the releases that were first seen in a period, and the alerts of a target that began in it."""
    with reading(source) as connection:
        releases = releases_between(connection, since=since, until=until)
        if not releases:
            # Where no evaluator has noted them, the workflows of the last hour say which versions are at work.
            recent = max(since, until - timedelta(hours=1))
            releases = [
                one for one in releases_at_work(connection, since=recent, until=until) if one.first_seen > recent
            ]
            releases.sort(key=lambda one: one.first_seen)
        alerts = list_alerts(
            connection, layer=layer, component=component, metric_name=metric_name, since=since, limit=100
        )
    return Marks(releases, [one for one in reversed(alerts) if since <= one.started_at <= until])


def _change_pct(now: float | None, then: float | None) -> float | None:
    return 100.0 * (now - then) / then if now is not None and then else None
