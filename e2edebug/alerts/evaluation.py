"""One turn of the evaluator: read the store, judge, store what changed with the messages that tell of it.

The pure parts decide (progress, evaluator, notification_plan, message); this one reads and writes. The number of
queries depends neither on thresholds nor on targets nor on spans.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert

from e2edebug.alerts.alert_store import (
    EVALUATION_NAME,
    Memory,
    claim_evaluation,
    store_memory,
    store_transitions,
)
from e2edebug.alerts.evaluator import evaluate
from e2edebug.alerts.live_windows import live_windows
from e2edebug.alerts.message import Facts, WrittenMessage, write_message, write_missed
from e2edebug.alerts.notification_plan import (
    QUOTA_PERIOD,
    NotificationPlan,
    PlannedMessage,
    Situation,
    plan_notifications,
)
from e2edebug.alerts.progress import Plan, Progress, plan_evaluation
from e2edebug.alerts.recommendations.registry import advise, with_failing_examples
from e2edebug.alerts.releases import note_releases
from e2edebug.alerts.routes import CONFIG_TYPE, Route, Routes, routes_of
from e2edebug.alerts.states import AlertState, Target, Transition, Window
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug.alerts.windows import windows_at
from e2edebug.policy.config import Config
from e2edebug_schema.alert_tables import notification
from e2edebug_schema.queries.alert_windows import newest_snapshot_id, series_rows
from e2edebug_schema.queries.alerts import (
    StoredAlert,
    alerts_by_id,
    maintenance_windows,
    recent_messages,
    remembered_targets,
    stored_evaluation,
)
from e2edebug_schema.queries.configuration import configuration_rows
from e2edebug_schema.queries.metric_series import MetricSeries
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.queries.thresholds import thresholds

DAY: Final = timedelta(days=1)
RELEASE_REACH: Final = timedelta(hours=1)
_TELLING_KINDS: Final = ("fired", "escalated", "flapping", "data_missing", "steadied")


@dataclass(slots=True)
class Turn:
    """What one turn did."""

    at: datetime
    transitions: list[Transition]
    messages: int
    caught_up_from: datetime | None = None
    """The moment from which on missed evaluations were made up for."""


def evaluate_store(
    engine: Engine,
    config: Config,
    *,
    now: datetime,
    evaluator: str,
    every_s: float = 60.0,
    routes: Collection[Route] | None = None,
    after_reading: Callable[[], None] = lambda: None,
) -> Turn:
    """Judge everything as of *now*, and store what changed. Messages are stored with it; delivery sends them.

    Raises EvaluationLostError when another evaluator was faster: its turn counts, this one has changed nothing.
    """
    with reading(engine) as connection:
        stored = stored_evaluation(connection, EVALUATION_NAME)
        book = ThresholdBook(thresholds(connection))
        memory = Memory.of(remembered_targets(connection))
        newest_id = newest_snapshot_id(connection)
        progress = Progress() if stored is None else Progress(
            evaluated_until=stored.evaluated_until, newest_id=stored.newest_id, floor_id=stored.floor_id,
            floor_until=stored.floor_until,
        )  # fmt: skip
        lengths_s = book.window_lengths_s() or [300]
        plan = plan_evaluation(progress, now=now, newest_id=newest_id, every_s=every_s, longest_window_s=lengths_s[-1])
        version = None if stored is None else stored.version
        work = _Turn(engine, config, book, memory, plan, version, evaluator, progress.evaluated_until, now)
        if plan.is_catching_up:
            series = MetricSeries(
                series_rows(
                    connection,
                    since=plan.ticks[0] - timedelta(seconds=lengths_s[-1] + config.metric_interval_s),
                    until=now,
                    metrics=book.metrics(),
                    min_id=plan.min_id,
                )
            )
            windows = windows_at(series, book, now)
        else:
            windows = live_windows(
                connection, book, memory.states, now, interval_s=config.metric_interval_s, min_id=plan.min_id
            )
    after_reading()
    if plan.is_catching_up:
        work.catch_up(series)
    found = evaluate(book, windows, memory.states, now, longest_credit_s=plan.step_s)
    work.finish(
        found.states, found.transitions, windows, now,
        routes=stored_routes(engine, config).usable if routes is None else routes,
    )  # fmt: skip
    return Turn(now, work.transitions, work.messages, progress.evaluated_until if plan.is_catching_up else None)


class _Turn:
    """The writing of one turn: some commits of the past while catching up, and one of now."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        book: ThresholdBook,
        memory: Memory,
        plan: Plan,
        version: int | None,
        evaluator: str,
        since: datetime | None,
        now: datetime,
    ) -> None:
        self._engine = engine
        self._config = config
        self._book = book
        self._memory = memory
        self._plan = plan
        self._version = version
        self._evaluator = evaluator
        self._since = max(since or now - RELEASE_REACH, now - RELEASE_REACH) - timedelta(minutes=2)
        self.transitions: list[Transition] = []
        self.messages = 0

    def catch_up(self, series: MetricSeries) -> None:
        """Judge the missed moments, and store what would have changed at them, without a word to anybody."""
        step = timedelta(seconds=self._plan.step_s or 60.0)
        for tick in self._plan.ticks[:-1]:
            # Where nothing at all was measured nobody was there: the machine slept, or its clock jumped.
            if not series.has_rows(start=tick - step, end=tick):
                continue
            windows = windows_at(series, self._book, tick)
            verdict = evaluate(self._book, windows, self._memory.states, tick, longest_credit_s=self._plan.step_s)
            if verdict.transitions:
                with self._engine.begin() as connection:
                    self._claim(connection, replace(self._plan.progress, evaluated_until=tick))
                    self._store(connection, verdict.transitions, {}, tick)
                    store_memory(connection, self._memory, verdict.states, windows, now=tick)
                self._reread()
            self._memory.states = verdict.states
            self.transitions += verdict.transitions

    def finish(
        self,
        states: Mapping[Target, AlertState],
        transitions: list[Transition],
        windows: Mapping[Target, Window],
        now: datetime,
        *,
        routes: Collection[Route],
    ) -> None:
        """Store the turn of now with its messages, in one transaction."""
        with reading(self._engine) as connection:
            transitions = with_failing_examples(connection, transitions, now=now)
            telling = [one for one in transitions if one.kind in _TELLING_KINDS]
            advice = advise(connection, telling, now=now) if telling else {}
            maintenance = maintenance_windows(connection, ending_after=now)
            recent = recent_messages(connection, since=now - QUOTA_PERIOD)
            yesterday = self._yesterday(connection, telling, now)
        with self._engine.begin() as connection:
            self._claim(connection, self._plan.progress)
            self._store(connection, transitions, advice, now)
            self.transitions += transitions
            known = alerts_by_id(connection, self._memory.alert_ids.values())
            planned = plan_notifications(
                self._situations(states, known), self._memory.told, routes, now, maintenance=maintenance, recent=recent
            )
            self._memory.told = planned.told
            self._store_messages(connection, planned, known, windows, yesterday, now)
            if self._plan.is_catching_up:
                self._store_missed(connection, routes, states, now)
            store_memory(connection, self._memory, states, windows, now=now)
            note_releases(connection, since=self._since, now=now)

    def _claim(self, connection: Connection, progress: Progress) -> None:
        claim_evaluation(connection, version=self._version, progress=progress, evaluator=self._evaluator)
        self._version = (self._version or 0) + 1

    def _store(
        self, connection: Connection, transitions: list[Transition], advice: Mapping[Target, str], now: datetime
    ) -> None:
        found = {one.target: self._book.threshold_for(one.target) for one in transitions}
        ids = {target: None if threshold is None else threshold.threshold_id for target, threshold in found.items()}
        store_transitions(connection, self._memory, transitions, threshold_ids=ids, advice=advice, now=now)

    def _reread(self) -> None:
        """Know the rows that were just written, so that they can be forgotten."""
        with reading(self._engine) as connection:
            rows = remembered_targets(connection)
        self._memory.row_ids = {Target(row.layer, row.metric_name, row.component): row.id for row in rows}

    def _situations(self, states: Mapping[Target, AlertState], known: Mapping[int, StoredAlert]) -> list[Situation]:
        situations = []
        for target in sorted({*states, *self._memory.told}):
            alert = known.get(self._memory.alert_ids.get(target, 0))
            if alert is None:
                continue
            state = states.get(target)
            situations.append(
                Situation(
                    target=target,
                    alert_id=alert.id,
                    state="ok" if state is None else state.state,
                    level="critical" if alert.level == "critical" else "warning",
                    acknowledged=alert.acknowledged_at is not None,
                    snoozed_until=alert.snoozed_until,
                )
            )
        return situations

    def _yesterday(self, connection: Connection, telling: list[Transition], now: datetime) -> dict[Target, float]:
        """What the same windows came to a day ago."""
        targets = {one.target for one in telling}
        judged = {target: threshold for target in targets if (threshold := self._book.threshold_for(target))}
        if not judged:
            return {}
        longest_s = max(one.window_s for one in judged.values())
        rows = series_rows(
            connection,
            since=now - DAY - timedelta(seconds=longest_s + self._config.metric_interval_s),
            until=now - DAY,
            metrics={(target.layer, target.metric_name) for target in judged},
            components={target.component for target in judged},
        )
        windows = windows_at(MetricSeries(rows), self._book, now - DAY, only=judged)
        return {target: window.value for target, window in windows.items()}

    def _store_messages(
        self,
        connection: Connection,
        planned: NotificationPlan,
        known: Mapping[int, StoredAlert],
        windows: Mapping[Target, Window],
        yesterday: Mapping[Target, float],
        now: datetime,
    ) -> None:
        rows = []
        for message in planned.messages:
            facts = {
                item.situation.target: Facts(
                    alert=_as_measured(known[item.situation.alert_id], windows.get(item.situation.target)),
                    threshold=self._book.threshold_for(item.situation.target),
                    samples=windows[item.situation.target].count if item.situation.target in windows else 0,
                    yesterday=yesterday.get(item.situation.target),
                )
                for item in message.items
            }
            written = write_message(message, facts, now=now, site_url=self._config.site_url)
            rows.append(_row(message, written, now))
        if rows:
            connection.execute(insert(notification), rows)
        self.messages += len(rows)

    def _store_missed(
        self, connection: Connection, routes: Collection[Route], states: Mapping[Target, AlertState], now: datetime
    ) -> None:
        """One message per route about what began and ended unseen."""
        ended = [one.target for one in self.transitions if one.kind == "resolved"]
        began = {one.target: one for one in self.transitions if one.kind in ("fired", "flapping")}
        over = [target for target in ended if target in began and not (target in states and states[target].is_open)]
        ids = [self._memory.alert_ids[target] for target in over if target in self._memory.alert_ids]
        known = alerts_by_id(connection, ids)
        rows = []
        for route in routes:
            mine = [
                one
                for one in known.values()
                if route.takes(
                    Target(one.layer, one.metric_name, one.component),
                    "critical" if one.level == "critical" else "warning",
                )
            ]
            if mine:
                mine.sort(key=lambda one: (one.started_at, one.id))
                written = write_missed(mine, since=self._plan.ticks[0], now=now)
                rows.append(missed_row(route, written, [one.id for one in mine], now))
        if rows:
            connection.execute(insert(notification), rows)
        self.messages += len(rows)


def missed_row(route: Route, written: WrittenMessage, alert_ids: list[int], now: datetime) -> dict[str, Any]:
    """Return the row of a message that is not planned from situations: what was missed, and tests."""
    key = hashlib.blake2b(f"{route.name}\n{written.kind}\n{alert_ids}\n{now.isoformat()}".encode(), digest_size=16)
    return _columns(route.name, key.hexdigest(), written, None, alert_ids, now)


def _row(message: PlannedMessage, written: WrittenMessage, now: datetime) -> dict[str, Any]:
    ids = [item.situation.alert_id for item in message.items]
    return _columns(message.route.name, message.event_key, written, message.level, ids, now)


def _columns(
    route: str, event_key: str, written: WrittenMessage, level: str | None, alert_ids: list[int], now: datetime
) -> dict[str, Any]:
    return {
        "event_key": event_key,
        "route": route[:100],
        "kind": written.kind,
        "status": "waiting",
        "level": level,
        "alert_ids": json.dumps(alert_ids),
        "subject": written.subject[:255],
        "message": written.text,
        "payload": json.dumps(written.payload),
        "created_at": now,
        "next_attempt_at": now,
    }


def _as_measured(alert: StoredAlert, window: Window | None) -> StoredAlert:
    """The alert with its value of now; its row has that of its last transition."""
    if window is None or window.value != window.value:
        return alert
    return replace(alert, value=window.value, correlation_id=(window.examples or (alert.correlation_id,))[0])


def stored_routes(engine: Engine, config: Config) -> Routes:
    """Return the routes of the store and of the settings."""
    with reading(engine) as connection:
        rows = [
            (row.name, row.enabled, row.config_data if isinstance(row.config_data, dict) else {})
            for row in configuration_rows(connection)
            if row.config_type == CONFIG_TYPE
        ]
    return routes_of(rows, config.notify_urls)
