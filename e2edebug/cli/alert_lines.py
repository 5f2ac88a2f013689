"""Alerts as lines: the list of many, and one with its history."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from e2edebug.alerts.quantities import amount, length, metric_in_words
from e2edebug.cli.quantities import local_time
from e2edebug.cli.terminal import Line, Piece, inert, padded
from e2edebug_schema.queries.alerts import AlertEvent, StoredAlert, StoredNotification

LEVEL_STYLES: Final = {"critical": "failed", "warning": "timeout"}


def alert_table(alerts: Sequence[StoredAlert], *, now: datetime) -> Iterator[Line]:
    """Yield a heading and one line for each alert."""
    rows = [
        (str(one.id), one.state, one.level, length((one.resolved_at or now) - one.started_at), _what(one))
        for one in alerts
    ]
    names = ("id", "state", "level", "for")
    widths = [max(len(name), *(len(row[at]) for row in rows)) for at, name in enumerate(names)]
    yield [Piece("  ".join(padded(name, width) for name, width in zip(names, widths, strict=True)) + "  what", "quiet")]
    for one, row in zip(alerts, rows, strict=True):
        style = "completed" if not one.is_open else LEVEL_STYLES.get(one.level, "")
        yield [
            Piece(padded(row[0], widths[0]) + "  ", "quiet"),
            Piece(padded(row[1], widths[1]) + "  ", style),
            Piece(padded(row[2], widths[2]) + "  ", style),
            Piece(padded(row[3], widths[3]) + "  "),
            Piece(row[4]),
            Piece(_attended(one, now), "quiet"),
        ]


def alert_page(
    one: StoredAlert, events: Sequence[AlertEvent], messages: Sequence[StoredNotification], *, now: datetime
) -> Iterator[Line]:
    """Yield everything about one alert."""
    style = "completed" if not one.is_open else LEVEL_STYLES.get(one.level, "")
    yield [Piece(f"{one.state} {one.level}", style), Piece(f"  {_what(one)}", "title")]
    ended = f" to {local_time(one.resolved_at)}" if one.resolved_at else ""
    yield [Piece(f"since {local_time(one.started_at)}{ended}, for {length((one.resolved_at or now) - one.started_at)}")]
    if attended := _attended(one, now).strip():
        yield [Piece(attended)]
    if one.recommendation:
        yield []
        yield [Piece("what to do", "quiet")]
        for text in one.recommendation.splitlines():
            yield [Piece("  " + inert(text))]
    if one.correlation_id:
        yield []
        yield [Piece("an example: ", "quiet"), Piece(f"e2edebug show {inert(one.correlation_id)}")]
    yield []
    yield [Piece("history", "quiet")]
    for event in events:
        yield [Piece("  " + local_time(event.occurred_at) + "  ", "quiet"), Piece(_happened(one, event))]
    if messages:
        yield []
        yield [Piece("messages", "quiet")]
        for message in reversed(messages):
            trouble = f": {inert(message.last_error)}" if message.last_error else ""
            repeat = ", perhaps twice" if message.is_possible_repeat else ""
            yield [
                Piece("  " + local_time(message.sent_at or message.created_at) + "  ", "quiet"),
                Piece(f"{message.status} to {inert(message.route)}{repeat}{trouble}: {inert(message.subject)}"),
            ]


def _what(one: StoredAlert) -> str:
    value = "" if one.value is None else f" {amount(one.value, one.metric_name)}"
    limit = "" if one.limit_value is None else f" (limit {amount(one.limit_value, one.metric_name)})"
    return f"{one.layer} {inert(one.component) or 'the whole layer'}: {inert(metric_in_words(one.metric_name))}{value}{limit}"


def _attended(one: StoredAlert, now: datetime) -> str:
    said = ""
    if one.acknowledged_at is not None:
        said += f"  acknowledged by {inert(one.acknowledged_by or 'somebody')}"
    if one.snoozed_until is not None and one.snoozed_until > now:
        said += f"  snoozed until {local_time(one.snoozed_until)}"
    return said


def _happened(one: StoredAlert, event: AlertEvent) -> str:
    parts = [event.kind if not event.actor else f"{event.kind} by {inert(event.actor)}"]
    if event.kind in ("fired", "escalated", "deescalated", "pending", "steadied", "flapping") and event.level:
        parts.append(event.level)
    if event.value is not None and not event.actor:
        parts.append(amount(event.value, one.metric_name))
        if event.limit_value is not None:
            parts.append(f"limit {amount(event.limit_value, one.metric_name)}")
        parts.append(f"{event.samples:,} values in {length(event.window_s)}")
    if event.note:
        parts.append(inert(event.note))
    return ", ".join(parts)
