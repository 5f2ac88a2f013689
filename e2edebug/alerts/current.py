"""What is over its limit now: as the evaluator keeps it, or, where none runs, as it would judge at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from e2edebug.alerts.alert_store import EVALUATION_NAME
from e2edebug.alerts.live_windows import live_windows
from e2edebug.alerts.states import ALARMING_STATES, Target
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug_schema.queries.alerts import (
    RememberedTarget,
    StoredAlert,
    alerts_by_id,
    remembered_targets,
    stored_evaluation,
)
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.queries.thresholds import thresholds
from e2edebug_schema.thresholds import Level

FRESH: Final = timedelta(minutes=5)
"""An evaluator that has not looked for so long does not run: its last word is old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentAlert:
    """A limit that is passed now."""

    target: Target
    level: Level
    value: float
    limit: float
    correlation_id: str | None


def current_alerts(source: Source, *, now: datetime, interval_s: float = 60.0) -> list[CurrentAlert]:
    """Return what is over its limit at *now*, critical first, worst first within a level."""
    with reading(source) as connection:
        evaluation = stored_evaluation(connection, EVALUATION_NAME)
        last = None if evaluation is None else evaluation.evaluated_until
        if last is not None and abs(now - last) <= FRESH:
            alerts = _kept(connection)
        else:
            alerts = _judged(connection, now, interval_s)
    return sorted(
        alerts,
        key=lambda one: (one.level != "critical", -abs(one.value - one.limit) / (abs(one.limit) or 1.0), one.target),
    )


def _kept(source: Source) -> list[CurrentAlert]:
    rows = [row for row in remembered_targets(source) if row.state in ALARMING_STATES and row.alert_id is not None]
    known: Mapping[int, StoredAlert] = alerts_by_id(source, [row.alert_id for row in rows if row.alert_id is not None])
    found = []
    for row in rows:
        alert = known.get(row.alert_id or 0)
        value = _value(row, alert)
        if alert is None or value is None or alert.limit_value is None:
            continue
        found.append(
            CurrentAlert(
                target=Target(row.layer, row.metric_name, row.component),
                level="critical" if row.level == "critical" else "warning",
                value=value,
                limit=alert.limit_value,
                correlation_id=alert.correlation_id,
            )
        )
    return found


def _value(row: RememberedTarget, alert: StoredAlert | None) -> float | None:
    measured = row.memory.get("value")
    if isinstance(measured, int | float):
        return float(measured)
    return None if alert is None else alert.value


def _judged(source: Source, now: datetime, interval_s: float) -> list[CurrentAlert]:
    book = ThresholdBook(thresholds(source))
    found = []
    for target, window in live_windows(source, book, (), now, interval_s=interval_s).items():
        threshold = book.threshold_for(target)
        if threshold is None or window.count < threshold.min_samples:
            continue
        level = threshold.level_of(window.value)
        if level == "critical" and not threshold.alert_on_critical:
            level = "warning"
        if level is None or (level == "warning" and not threshold.alert_on_warning):
            continue
        found.append(
            CurrentAlert(
                target=target,
                level=level,
                value=window.value,
                limit=threshold.limit_of(level),
                correlation_id=window.examples[0] if window.examples else None,
            )
        )
    return found
