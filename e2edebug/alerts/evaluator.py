"""The state machine: thresholds, windows, previous states and the time become transitions. No database, no clock.

Time counts only as far as evaluations have looked: what is `held` or `silent` grows by the time between two looks, at
most a window at once. A clock that jumps, a night without an evaluator or a restart can neither complete a pending
period nor make a target silent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from e2edebug.alerts.states import AlertState, Kind, State, Target, Transition, Verdict, Window
from e2edebug.alerts.threshold_book import ThresholdBook
from e2edebug_schema.thresholds import Level, Threshold

FLAPPING_FIRES: Final = 3
"""So often it fires within FLAP_WINDOWS windows when it flaps."""
FLAP_WINDOWS: Final = 24
"""Two hours, at the default window of five minutes."""
QUIET_WINDOWS: Final = 12
"""So long without a crossing it no longer flaps: longer than half of the slowest period that flaps."""
EXPIRY_S: Final = 7 * 86_400
"""Silence never resolves an alert; after a week it closes it, because the component is gone."""


def evaluate(
    thresholds: Iterable[Threshold] | ThresholdBook,
    windows: Mapping[Target, Window],
    states: Mapping[Target, AlertState],
    now: datetime,
    *,
    longest_credit_s: float | None = None,
) -> Verdict:
    """Return every transition of this moment, in the order of the targets, and the states to remember.

    windows: what was measured, by target; a target without data is not in it. states: those of the last verdict.
    longest_credit_s: so much of the time since the last look counts at most; None: a window of the threshold.
    """
    book = thresholds if isinstance(thresholds, ThresholdBook) else ThresholdBook(thresholds)
    verdict = Verdict()
    heard_metrics: set[tuple[str, str]] = set()
    judged: set[Target] = set(states)
    for target, window in windows.items():
        heard_metrics.add((target.layer, target.metric_name))
        if target not in states:
            threshold = book.threshold_for(target)
            # Nearly every target is well: nothing is made of it.
            if threshold is not None and threshold.level_of(window.value) is not None:
                judged.add(target)
    expected = {Target(one.layer, one.metric_name, one.component): one for one in book.expecting_data()}
    for target in expected:
        if target not in windows and (target.component or target[:2] not in heard_metrics):
            judged.add(target)
    for target in sorted(judged):
        window_or_none = windows.get(target)
        if target.component == "" and target in expected and target[:2] in heard_metrics:
            window_or_none = _HEARD
        threshold = book.threshold_for(target)
        before = states.get(target) or AlertState(target=target, state="ok", since=now, seen_at=now)
        credit_s = (
            max(60.0, 0 if threshold is None else threshold.window_s) if longest_credit_s is None else longest_credit_s
        )
        elapsed_s = min(max((now - before.seen_at).total_seconds(), 0.0), credit_s)
        _Judgement(threshold, window_or_none, before, now, elapsed_s, verdict).pass_on()
    return verdict


_HEARD: Final = Window(value=float("nan"), count=0)
"""Some component of a layer has spoken: all that the layer's own silence needs to know."""


class _Judgement:
    """One target at one moment."""

    def __init__(
        self,
        threshold: Threshold | None,
        window: Window | None,
        before: AlertState,
        now: datetime,
        elapsed_s: float,
        verdict: Verdict,
    ) -> None:
        self._threshold = threshold
        self._window = window
        self._before = before
        self._now = now
        self._elapsed_s = elapsed_s
        self._verdict = verdict

    def pass_on(self) -> None:
        """Add what has changed, and what is to be remembered, to the verdict."""
        if self._threshold is None:
            if self._before.is_open:
                self._change("withdrawn", "ok", self._before.level)
            return
        if self._window is None:
            after = self._silent(self._threshold)
        else:
            state = self._before.state
            heard = replace(self._before, silent_s=0.0)
            self._before = heard
            judge = {
                "ok": self._well, "pending": self._pending, "firing": self._firing, "no_data": self._heard_again,
                "flapping": self._flapping,
            }[state]  # fmt: skip
            after = judge(self._threshold, self._window)
        after = replace(after, seen_at=self._now, fires=self._recent(after.fires, self._threshold))
        if after.is_open or after.fires or (self._window is None and self._is_expected(self._threshold)):
            self._verdict.states[after.target] = after

    def _silent(self, threshold: Threshold) -> AlertState:
        before = self._before
        quiet = replace(before, silent_s=before.silent_s + self._elapsed_s)
        if before.state == "no_data":
            return self._change("expired", "ok", before.level) if quiet.silent_s >= EXPIRY_S else quiet
        is_expected = self._is_expected(threshold)
        # A window without data has been silent for its own length already.
        patience_s = threshold.no_data_s - threshold.window_s if is_expected else threshold.window_s
        if quiet.silent_s < patience_s:
            return quiet if before.is_open or is_expected else replace(quiet, silent_s=0.0)
        if before.state == "pending":
            return self._change("cleared", "ok", before.level)
        if before.state == "ok":
            if not is_expected:
                return replace(quiet, silent_s=0.0)
            level: Level = "warning" if threshold.alert_on_warning else "critical"
            return replace(self._change("data_missing", "no_data", level), silent_s=quiet.silent_s)
        return replace(self._change("data_missing", "no_data", before.level), silent_s=quiet.silent_s)

    def _is_expected(self, threshold: Threshold) -> bool:
        return threshold.no_data_s > 0 and threshold.component == self._before.target.component

    def _well(self, threshold: Threshold, window: Window) -> AlertState:
        level = self._level(threshold, window, None)
        if level is None or window.count < threshold.min_samples:
            return self._before
        if threshold.pending_s > 0:
            return self._change("pending", "pending", level)
        return self._fire(threshold, level)

    def _pending(self, threshold: Threshold, window: Window) -> AlertState:
        before = self._before
        level = self._level(threshold, window, None)
        if level is None:
            return self._change("cleared", "ok", before.level)
        if window.count < threshold.min_samples:
            return before
        held = replace(before, level=level, held_s=before.held_s + self._elapsed_s)
        self._before = held
        return held if held.held_s < threshold.pending_s else self._fire(threshold, level)

    def _fire(self, threshold: Threshold, level: Level) -> AlertState:
        fires = (*self._recent(self._before.fires, threshold), self._now)
        if len(fires) >= FLAPPING_FIRES:
            return replace(self._change("flapping", "flapping", level), fires=fires, is_over=True)
        return replace(self._change("fired", "firing", level), fires=fires)

    def _firing(self, threshold: Threshold, window: Window) -> AlertState:
        before = self._before
        level = self._level(threshold, window, before.level)
        if level is None:
            # A recovery counts once it has lasted a window: what comes back sooner is the same trouble.
            first_look = before.recovering_since is None
            held_s = 0.0 if first_look else before.held_s + self._elapsed_s
            if held_s >= threshold.window_s:
                return self._change("resolved", "ok", before.level)
            return replace(before, held_s=held_s, recovering_since=self._now if first_look else before.recovering_since)
        before = self._before = replace(before, held_s=0.0, recovering_since=None)
        if level == before.level:
            return before
        if level == "critical":
            return before if window.count < threshold.min_samples else self._change("escalated", "firing", level)
        return self._change("deescalated", "firing", level)

    def _heard_again(self, threshold: Threshold, window: Window) -> AlertState:
        before = self._before
        # An alert about silence alone began as one; whatever is heard ends it.
        began_silent = before.started_at == before.since
        if window is _HEARD or began_silent:
            return self._change("resolved", "ok", before.level)
        return self._change("data_back", "firing", self._level(threshold, window, before.level) or before.level)

    def _flapping(self, threshold: Threshold, window: Window) -> AlertState:
        before = self._before
        level = self._level(threshold, window, before.level if before.is_over else None)
        is_over = level is not None
        if is_over != before.is_over:
            return replace(before, is_over=is_over, held_s=0.0, level=level or before.level)
        steady = replace(before, held_s=before.held_s + self._elapsed_s, level=level or before.level)
        if steady.held_s < QUIET_WINDOWS * threshold.window_s:
            return steady
        self._before = steady
        if level is None:
            return replace(self._change("resolved", "ok", before.level), fires=())
        return replace(self._change("steadied", "firing", level), fires=())

    def _level(self, threshold: Threshold, window: Window, held: Level | None) -> Level | None:
        """The level of the value, where an alert that is *held* stays until the recovery margin is passed, too."""
        raw = threshold.level_of(window.value)
        is_critical = raw == "critical" or (
            held == "critical" and not threshold.has_recovered("critical", window.value)
        )
        if is_critical and threshold.alert_on_critical:
            return "critical"
        is_warning = raw is not None or (held is not None and not threshold.has_recovered("warning", window.value))
        return "warning" if is_warning and threshold.alert_on_warning else None

    def _recent(self, fires: tuple[datetime, ...], threshold: Threshold) -> tuple[datetime, ...]:
        reach_s = FLAP_WINDOWS * threshold.window_s
        return tuple(moment for moment in fires if abs((self._now - moment).total_seconds()) <= reach_s)

    def _change(self, kind: Kind, state: State, level: Level | None) -> AlertState:
        before, window, threshold = self._before, self._window, self._threshold
        started_at = before.started_at if before.is_open and before.started_at is not None else self._now
        limit = None if threshold is None or level is None else threshold.limit_of(level)
        has_value = window is not None and window is not _HEARD
        self._verdict.transitions.append(
            Transition(
                target=before.target,
                kind=kind,
                at=self._now,
                from_state=before.state,
                to_state=state,
                level=level,
                value=window.value if has_value and window is not None else None,
                limit_value=limit,
                window_s=0 if threshold is None else threshold.window_s,
                samples=0 if window is None else window.count,
                examples=() if window is None else window.examples,
                started_at=started_at,
            )
        )
        return replace(
            before,
            state=state,
            level=None if state == "ok" else level,
            since=self._now,
            started_at=None if state == "ok" else started_at,
            held_s=0.0,
            silent_s=0.0,
            recovering_since=None,
        )
