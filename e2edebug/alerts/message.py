"""The text of a message: what, where, since when, how far over, compared with yesterday, an example, what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from e2edebug.alerts.notification_plan import Item, ItemKind, PlannedMessage
from e2edebug.alerts.quantities import aggregation_in_words, amount, length, metric_in_words, moment, ratio
from e2edebug.alerts.states import Target
from e2edebug_schema.queries.alerts import StoredAlert
from e2edebug_schema.thresholds import Threshold

MOST_IN_FULL: Final = 10
"""More alerts than so many in one message get a line each."""

_HEADS: Final[dict[ItemKind, str]] = {
    "escalated": "WORSE", "flapping": "FLAPPING", "no_data": "NO DATA", "steadied": "STEADY AGAIN",
    "repeat": "STILL", "resolved": "RESOLVED",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one alert for its message."""

    alert: StoredAlert
    threshold: Threshold | None
    samples: int = 0
    yesterday: float | None = None
    """The same window a day ago."""


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """A message as it is stored and sent."""

    subject: str
    text: str
    kind: str
    payload: dict[str, Any]


def write_message(
    planned: PlannedMessage, facts: Mapping[Target, Facts], *, now: datetime, site_url: str | None
) -> WrittenMessage:
    """Return the message of *planned*. Every target of it has facts."""
    parts = []
    items = planned.items
    for item in items[:MOST_IN_FULL]:
        parts.append(_in_full(item, facts[item.situation.target], now, site_url))
    if len(items) > MOST_IN_FULL:
        more = [f"- {_title(item, facts[item.situation.target])}" for item in items[MOST_IN_FULL:]]
        parts.append("\n".join([f"And {len(more)} more:", *more]))
    if planned.is_last_of_quota:
        parts.append(
            f"This is the last of the {planned.route.quota_per_hour} messages that this route may send within an hour; "
            "what is still so afterwards is told then."
        )
    kinds = {item.kind for item in items}
    kind = kinds.pop() if len(kinds) == 1 else "mixed"
    return WrittenMessage(
        subject=_subject(items, facts),
        text="\n\n".join(parts) + "\n",
        kind=kind if kind in ("resolved", "repeat", "mixed") else "firing",
        payload={
            "kind": kind,
            "level": planned.level,
            "route": planned.route.name,
            "written_at": now.isoformat(),
            "alerts": [_for_machines(item, facts[item.situation.target], site_url) for item in items],
        },
    )


def write_missed(alerts: Sequence[StoredAlert], *, since: datetime, now: datetime) -> WrittenMessage:
    """Return the one message about alerts that began and ended while nobody evaluated."""
    lines = [
        f"- {metric_in_words(one.metric_name)} of {one.component or 'everything'} ({one.layer}), {one.level}: "
        f"{moment(one.started_at, now=now)} to {moment(one.resolved_at or now, now=now)}"
        for one in alerts[:50]
    ]
    if len(alerts) > len(lines):
        lines.append(f"- and {len(alerts) - len(lines)} more: `e2edebug alerts --all`")
    count = f"{len(alerts)} alert" + ("s" if len(alerts) != 1 else "")
    head = f"From {moment(since, now=now)} to {moment(now, now=now)} nobody evaluated the thresholds. In that time {count} began and ended:"
    return WrittenMessage(
        subject=f"[missed] {count} while nobody evaluated",
        text="\n".join([head, *lines]) + "\n",
        kind="missed",
        payload={"kind": "missed", "level": None, "alerts": [{"id": one.id} for one in alerts]},
    )


def write_test(route_name: str, *, now: datetime) -> WrittenMessage:
    """Return the message of `e2edebug notify test`."""
    return WrittenMessage(
        subject="[test] e2edebug can reach you",
        text=f"This is a test of the route {route_name!r}, sent at {moment(now, now=now)}. Nothing is wrong.\n",
        kind="test",
        payload={"kind": "test", "level": None, "route": route_name, "written_at": now.isoformat(), "alerts": []},
    )


def _subject(items: Sequence[Item], facts: Mapping[Target, Facts]) -> str:
    first = items[0]
    if len(items) == 1:
        return f"[{_tag(first)}] {_title(first, facts[first.situation.target])}"[:255]
    over = sum(item.kind != "resolved" for item in items)
    counted = ", ".join(
        text
        for text, number in ((f"{over} over", over), (f"{len(items) - over} resolved", len(items) - over))
        if number
    )
    return f"[{_tag(first)}] {counted}: {_title(first, facts[first.situation.target])}, …"[:255]


def _tag(item: Item) -> str:
    return "resolved" if item.kind == "resolved" else (item.situation.level or "warning")


def _title(item: Item, known: Facts) -> str:
    alert = known.alert
    where = alert.component or f"the whole layer {alert.layer}"
    if item.kind == "resolved":
        return f"{metric_in_words(alert.metric_name)} of {where} is back under its limit"
    if item.kind == "no_data":
        return f"no {metric_in_words(alert.metric_name)} is heard of {where}"
    if item.kind == "flapping":
        return f"{metric_in_words(alert.metric_name)} of {where} goes up and down"
    value = "" if alert.value is None else f" {amount(alert.value, alert.metric_name)}"
    limit = "" if alert.limit_value is None else f", limit {amount(alert.limit_value, alert.metric_name)}"
    return f"{metric_in_words(alert.metric_name)} of {where}{value}{limit}"


def _in_full(item: Item, known: Facts, now: datetime, site_url: str | None) -> str:
    alert = known.alert
    head = _HEADS.get(item.kind, "")
    if item.kind in ("firing", "escalated", "repeat", "steadied"):
        head = f"{head} {alert.level.upper()}".strip()
    lines = [f"{head}: {_title(item, known)}"]
    lines += _what(item, known, now)
    if item.kind != "resolved":
        if known.yesterday is not None and alert.value is not None:
            lines.append(
                f"Yesterday at this time: {amount(known.yesterday, alert.metric_name)} "
                f"({ratio(alert.value, known.yesterday)})."
            )
        if alert.recommendation:
            lines.append("What to do: " + alert.recommendation.replace("\n", "\n  "))
        if alert.correlation_id:
            lines.append(f"Example: e2edebug show {alert.correlation_id}")
            if site_url:
                lines.append(f"  {_session_link(site_url, alert.correlation_id)}")
    lines.append(f"Alert {alert.id}: e2edebug alert {alert.id}" + ("" if item.kind == "resolved" else " --acknowledge"))
    if site_url:
        lines.append(f"  {_alert_link(site_url, alert.id)}")
    return "\n".join(lines)


def _what(item: Item, known: Facts, now: datetime) -> list[str]:
    alert, threshold = known.alert, known.threshold
    since = f"Since {moment(alert.started_at, now=now)}, for {length(now - alert.started_at)}."
    if item.kind == "resolved":
        ended = alert.resolved_at or now
        return [
            f"It lasted {length(ended - alert.started_at)}, from {moment(alert.started_at, now=now)} to {moment(ended, now=now)}."
        ]
    if item.kind == "no_data":
        return ["Nothing has been measured lately. That is no recovery: the process may be down. " + since]
    if item.kind == "flapping":
        return [
            "It fired three times within a short while. This is the last message until it has been steady, on whichever "
            "side of its limit. " + since
        ]
    if alert.value is None or alert.limit_value is None or threshold is None:
        return [since]
    over = abs(alert.value - alert.limit_value) / abs(alert.limit_value) * 100 if alert.limit_value else 0.0
    side = "under" if threshold.lower_is_worse else "over"
    name = "share" if alert.metric_name in ("error_rate", "hit_rate") else aggregation_in_words(threshold.aggregation)
    counted = f" ({known.samples:,} values)" if known.samples else ""
    return [
        f"The {name} of the last {length(threshold.window_s)} is {amount(alert.value, alert.metric_name)}{counted}; the "
        f"{alert.level} limit is {amount(alert.limit_value, alert.metric_name)}, so it is {over:.0f} % {side} it. {since}"
    ]


def _for_machines(item: Item, known: Facts, site_url: str | None) -> dict[str, Any]:
    alert = known.alert
    return {
        "id": alert.id,
        "kind": item.kind,
        "state": item.situation.state,
        "level": alert.level,
        "layer": alert.layer,
        "component": alert.component,
        "metric_name": alert.metric_name,
        "value": alert.value,
        "limit": alert.limit_value,
        "yesterday": known.yesterday,
        "started_at": alert.started_at.isoformat(),
        "resolved_at": None if alert.resolved_at is None else alert.resolved_at.isoformat(),
        "correlation_id": alert.correlation_id,
        "recommendation": alert.recommendation,
        "url": _alert_link(site_url, alert.id) if site_url else None,
        "example_url": _session_link(site_url, alert.correlation_id) if site_url and alert.correlation_id else None,
    }


def _alert_link(site_url: str, alert_id: int) -> str:
    return f"{site_url.rstrip('/')}/admin/debugging/alert/{alert_id}/change/"


def _session_link(site_url: str, correlation_id: str) -> str:
    return f"{site_url.rstrip('/')}/admin/debugging/workflowsession/?q={correlation_id}"
