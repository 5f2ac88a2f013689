"""What has to be told now: the difference between how things are and what each route was told last.

Not the transitions are told but the difference, so that a snooze, quiet hours, a maintenance window, a quota or an hour
without evaluator hold messages back without losing or piling them up: at their end there is one message about what is
still so. Pure: no database, no clock.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from e2edebug.alerts.routes import Route
from e2edebug.alerts.states import ALARMING_STATES, State, Target
from e2edebug_schema.queries.alerts import MaintenanceWindow
from e2edebug_schema.thresholds import Level

ItemKind = Literal["firing", "escalated", "flapping", "no_data", "steadied", "repeat", "resolved"]
QUOTA_PERIOD: Final = timedelta(hours=1)
_RANKS: Final[dict[str | None, int]] = {None: 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One alert as it is now."""

    target: Target
    alert_id: int
    state: State
    level: Level | None
    acknowledged: bool = False
    snoozed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to tell of one alert."""

    kind: ItemKind
    situation: Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """One message of one route."""

    route: Route
    items: tuple[Item, ...]
    event_key: str
    """What makes it this message and no other: two evaluators that plan it make one row."""
    is_last_of_quota: bool = False

    @property
    def level(self) -> Level | None:
        """The worst level in it."""
        worst = max(self.items, key=lambda item: _RANKS[item.situation.level], default=None)
        return None if worst is None else worst.situation.level


@dataclass(slots=True)
class NotificationPlan:
    """What to send, and what each route has been told afterwards."""

    messages: list[PlannedMessage] = field(default_factory=list)
    told: dict[Target, dict[str, Any]] = field(default_factory=dict)
    """Target -> route -> what it was told."""


def plan_notifications(
    situations: Sequence[Situation],
    told: Mapping[Target, Mapping[str, Any]],
    routes: Iterable[Route],
    now: datetime,
    *,
    maintenance: Collection[MaintenanceWindow] = (),
    recent: Mapping[str, tuple[int, datetime]] | None = None,
) -> NotificationPlan:
    """Return the messages that are due at *now*.

    situations: every alert that is open or over since somebody was told of it. recent: route -> number of messages in
    the last hour, and the time of the latest.
    """
    plan = NotificationPlan(
        told={target: {name: dict(one) for name, one in by_route.items()} for target, by_route in told.items()}
    )
    for route in routes:
        count, latest = (recent or {}).get(route.name, (0, None))
        due = []
        for situation in situations:
            last = plan.told.get(situation.target, {}).get(route.name)
            kind = _due(route, situation, last, now, maintenance)
            if kind is not None:
                due.append(Item(kind, situation))
        if not due or (latest is not None and now - latest < timedelta(seconds=route.group_interval_s)):
            continue
        for group in _groups(route, due):
            if count >= route.quota_per_hour:
                break
            count += 1
            plan.messages.append(
                PlannedMessage(
                    route=route,
                    items=tuple(group),
                    is_last_of_quota=count == route.quota_per_hour,
                    event_key=_event_key(route, group, plan.told),
                )
            )
            for item in group:
                _note(plan.told, route, item, now)
    return plan


def in_maintenance(target: Target, now: datetime, windows: Iterable[MaintenanceWindow]) -> bool:
    """Tell whether somebody has planned that *target* is in trouble now."""
    return any(
        window.starts_at <= now < window.ends_at
        and window.layer in ("", target.layer)
        and window.component in ("", target.component)
        for window in windows
    )


def _due(
    route: Route,
    situation: Situation,
    last: Mapping[str, Any] | None,
    now: datetime,
    maintenance: Collection[MaintenanceWindow],
) -> ItemKind | None:
    if last is not None and last.get("alert_id") != situation.alert_id:
        last = None
    was_told = last is not None and last.get("state") != "resolved"
    if situation.state not in ALARMING_STATES:
        if not was_told or situation.state != "ok" or not route.send_resolved:
            return None
        return None if _is_quiet(route, now, _told_level(last)) else "resolved"
    if not route.takes(situation.target, situation.level) and not was_told:
        return None
    is_snoozed = situation.snoozed_until is not None and now < situation.snoozed_until
    if is_snoozed or in_maintenance(situation.target, now, maintenance) or _is_quiet(route, now, situation.level):
        return None
    if last is None or not was_told:
        if situation.acknowledged:
            return None
        return "flapping" if situation.state == "flapping" else "no_data" if situation.state == "no_data" else "firing"
    if situation.state != last.get("state"):
        if situation.state == "flapping":
            return "flapping"
        if situation.state == "no_data":
            return "no_data"
        if last.get("state") == "flapping":
            return "steadied"
    if _RANKS[situation.level] > _RANKS[last.get("level")]:
        return "escalated"
    if not route.repeat_s or situation.acknowledged or situation.state == "flapping":
        return None
    told_at = datetime.fromisoformat(str(last.get("at")))
    return "repeat" if now - told_at >= timedelta(seconds=route.repeat_s) else None


def _is_quiet(route: Route, now: datetime, level: Level | None) -> bool:
    return route.quiet_hours is not None and route.quiet_hours.hold(now, level)


def _told_level(last: Mapping[str, Any] | None) -> Level | None:
    return None if last is None else last.get("level")


def _groups(route: Route, due: list[Item]) -> list[list[Item]]:
    """Worst first, within a group and among the groups."""
    due.sort(key=lambda item: (item.kind == "resolved", -_RANKS[item.situation.level], item.situation.target))
    groups: dict[Any, list[Item]] = {}
    for item in due:
        target = item.situation.target
        key = {
            "all": None, "layer": target.layer, "component": (target.layer, target.component), "alert": target,
        }[route.group_by]  # fmt: skip
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _event_key(route: Route, group: Iterable[Item], told: Mapping[Target, Mapping[str, Any]]) -> str:
    parts = [route.name]
    for item in group:
        count = told.get(item.situation.target, {}).get(route.name, {}).get("count", 0)
        parts.append(f"{item.situation.alert_id}:{item.kind}:{count}")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _note(told: dict[Target, dict[str, Any]], route: Route, item: Item, now: datetime) -> None:
    by_route = told.setdefault(item.situation.target, {})
    before = by_route.get(route.name, {})
    is_same = before.get("alert_id") == item.situation.alert_id
    level = item.situation.level
    if is_same and _RANKS[before.get("level")] > _RANKS[level]:
        level = before.get("level")  # who knows of the critical one need not hear of it again
    by_route[route.name] = {
        "alert_id": item.situation.alert_id,
        "state": "resolved" if item.kind == "resolved" else item.situation.state,
        "level": level,
        "at": now.isoformat(),
        "count": before.get("count", 0) + 1,
    }
