"""What thresholds would have found in the stored past, before anybody is woken by them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from e2edebug.alerts.evaluator import evaluate
from e2edebug.alerts.states import AlertState, Target, Transition
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug.alerts.windows import windows_at
from e2edebug_schema.queries.alert_windows import series_rows
from e2edebug_schema.queries.metric_series import MetricSeries
from e2edebug_schema.queries.reading import Source
from e2edebug_schema.thresholds import Level, Threshold

CHUNK: Final = timedelta(hours=6)
"""So much of the past is in memory at once."""


@dataclass(frozen=True, slots=True)
class WouldBeAlert:
    """One alert that there would have been."""

    target: Target
    level: Level
    """The worst that it reached."""
    started_at: datetime
    resolved_at: datetime | None
    """None: it would still be there."""
    is_flapping: bool
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class BackTest:
    """Everything that would have happened."""

    since: datetime
    until: datetime
    looks: int
    transitions: list[Transition]

    @property
    def alerts(self) -> list[WouldBeAlert]:
        """Return the alerts of which somebody would have been told, in the order in which they began."""
        going_on: dict[Target, WouldBeAlert] = {}
        found: list[WouldBeAlert] = []
        for one in self.transitions:
            known = going_on.get(one.target)
            if one.kind in ("fired", "flapping", "data_missing") and known is None:
                going_on[one.target] = WouldBeAlert(
                    one.target, one.level or "warning", one.at, None, one.kind == "flapping", one.correlation_id
                )
            elif known is not None and one.kind == "escalated":
                going_on[one.target] = WouldBeAlert(
                    known.target, "critical", known.started_at, None, known.is_flapping, one.correlation_id
                )
            elif known is not None and one.to_state == "ok":
                found.append(
                    WouldBeAlert(
                        known.target, known.level, known.started_at, one.at, known.is_flapping, known.correlation_id
                    )
                )
                del going_on[one.target]
        return sorted([*found, *going_on.values()], key=lambda one: (one.started_at, one.target))


def back_test(
    source: Source, thresholds: Iterable[Threshold], *, since: datetime, until: datetime, every_s: float = 60.0
) -> BackTest:
    """Evaluate *thresholds* at every moment of a period, by the snapshots that are stored of it."""
    book = ThresholdBook(thresholds)
    longest = timedelta(seconds=(book.window_lengths_s() or [0])[-1])
    # An hour's roll-up reaches an hour into the window.
    reach = longest + timedelta(hours=1)
    step = timedelta(seconds=every_s)
    states: dict[Target, AlertState] = {}
    transitions: list[Transition] = []
    looks = 0
    moment = since + step
    begin = since
    while begin < until:
        end = min(begin + CHUNK, until)
        series = MetricSeries(series_rows(source, since=begin - reach, until=end, metrics=book.metrics()))
        while moment <= end:
            verdict = evaluate(book, windows_at(series, book, moment), states, moment)
            states = verdict.states
            transitions += verdict.transitions
            looks += 1
            moment += step
        begin = end
    return BackTest(since, until, looks, transitions)
