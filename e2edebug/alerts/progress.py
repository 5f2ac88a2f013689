"""How far evaluation has come, and what that means when a clock jumps or an hour was missed.

Rows are told apart by when they happened and, after a clock went back, by when they were stored: an hour that happens
twice must not be judged by the rows of its first time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

SKEW: Final = timedelta(seconds=60)
"""Two evaluators on two machines may differ by so much; more is a clock that was set back."""
LONGEST_CATCH_UP: Final = timedelta(hours=24)
MOST_TICKS: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The row of debugging_evaluation."""

    evaluated_until: datetime | None = None
    newest_id: int = 0
    """The last snapshot that was stored at the last evaluation."""
    floor_id: int = 0
    """Snapshots up to this one do not count before `floor_until`: they are from before the clock was set back."""
    floor_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate now."""

    progress: Progress
    """What holds afterwards."""
    ticks: tuple[datetime, ...]
    """The moments to judge, oldest first; more than one only after an interruption. The last one is now."""
    min_id: int
    """Only snapshots with a greater id count."""

    step_s: float | None = None
    """While catching up: how much time passes from one moment to the next, and counts at most."""

    @property
    def is_catching_up(self) -> bool:
        """Moments of the past are judged as well."""
        return len(self.ticks) > 1


def plan_evaluation(before: Progress, *, now: datetime, newest_id: int, every_s: float, longest_window_s: int) -> Plan:
    """Return what to evaluate at *now*, when the store's last snapshot has *newest_id*."""
    after = replace(before, newest_id=max(newest_id, before.newest_id))
    last = before.evaluated_until
    if last is None:
        return Plan(replace(after, evaluated_until=now), (now,), 0)
    if now < last - SKEW:
        # Kept from the highest time ever seen: a clock that goes back twice has its rows in the same future.
        floor_until = max(last, before.floor_until or last) + timedelta(seconds=longest_window_s)
        after = replace(after, floor_id=newest_id, floor_until=floor_until)
    elif after.floor_until is not None and now > after.floor_until:
        after = replace(after, floor_id=0, floor_until=None)
    after = replace(after, evaluated_until=now if now < last - SKEW else max(now, last))
    # Within the window nothing is missed: the windows of now still hold what happened meanwhile.
    if now - last <= timedelta(seconds=max(3 * every_s, longest_window_s)):
        return Plan(after, (now,), after.floor_id)
    return _catching_up(after, last, now, every_s)


def _catching_up(after: Progress, last: datetime, now: datetime, every_s: float) -> Plan:
    """Every missed moment after an interruption, at most a day and MOST_TICKS of them."""
    first = max(last, now - LONGEST_CATCH_UP)
    step = max(timedelta(seconds=max(every_s, 60.0)), (now - first) / MOST_TICKS)
    ticks = []
    moment = first + step
    while moment < now:
        ticks.append(moment)
        moment += step
    return Plan(after, (*ticks, now), after.floor_id, step.total_seconds())
