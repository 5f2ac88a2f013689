"""Messages that wait are sent: claimed by a conditional update, tried again with growing pauses, and given up in the end.

Whoever delivers says so first, sends, and notes it. A process that ends in between leaves a claim that runs out; the
message is then sent once more at most, marked as a possible repeat, because nobody can know whether it had gone out.
"""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy import Engine, select, update

from e2edebug.alerts.channels.channel import Channel, DeliveryError, OutgoingMessage
from e2edebug.alerts.routes import Route
from e2edebug.policy.error_text import mask_text
from e2edebug_schema.alert_tables import notification
from e2edebug_schema.tables import text_limits

CLAIM: Final = timedelta(seconds=120)
FIRST_PAUSE_S: Final = 15.0
LONGEST_PAUSE_S: Final = 3600.0
MOST_ATTEMPTS: Final = 12
LONGEST_WAIT: Final = timedelta(hours=24)
MOST_AT_ONCE: Final = 50

_columns = notification.c


@dataclass(slots=True)
class DeliveryReport:
    """What became of the messages of one turn."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0


def deliver_waiting(
    engine: Engine,
    routes: Iterable[Route],
    open_channel: Callable[[Route], Channel],
    *,
    now: datetime,
    deliverer: str,
    jitter: Callable[[], float] = random.random,
) -> DeliveryReport:
    """Send what waits and is due. Several processes may do so at once."""
    report = DeliveryReport()
    _reclaim(engine, now)
    by_name = {route.name: route for route in routes}
    for notification_id in _due(engine, now):
        row = _claimed(engine, notification_id, now, deliverer)
        if row is None:
            continue
        try:
            _send(row, by_name.get(row["route"]), open_channel)
        except DeliveryError as error:
            is_over = error.is_permanent or row["attempts"] >= MOST_ATTEMPTS or now - row["created_at"] > LONGEST_WAIT
            if is_over:
                report.failed += 1
            else:
                report.postponed += 1
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (row["attempts"] - 1)) * (0.5 + jitter() / 2)
            _note(
                engine, notification_id, deliverer,
                status="failed" if is_over else "waiting",
                next_attempt_at=now + timedelta(seconds=pause_s),
                last_error=mask_text(str(error))[: text_limits(notification)["last_error"]],
            )  # fmt: skip
        else:
            report.sent += 1
            _note(engine, notification_id, deliverer, status="sent", sent_at=now, last_error="")
    return report


def _send(row: dict[str, Any], route: Route | None, open_channel: Callable[[Route], Channel]) -> None:
    if route is None:
        raise _GoneError(f"the route {row['route']!r} is not there any more")
    text = row["message"]
    if row["is_possible_repeat"]:
        text = (
            f"(You may have got this message before: the process that sent it ended before it could note it.)\n\n{text}"
        )
    message = OutgoingMessage(
        notification_id=row["id"],
        subject=row["subject"],
        text=text,
        level=row["level"],
        payload=json.loads(row["payload"]),
        is_possible_repeat=bool(row["is_possible_repeat"]),
    )
    with suppress_instrumentation():  # what we send ourselves is no step of the application
        open_channel(route).send(message)


class _GoneError(DeliveryError):
    is_permanent = True


def _reclaim(engine: Engine, now: datetime) -> None:
    """Claims that ran out: sent or not, nobody knows. Once more, marked; after that it stays unconfirmed."""
    stale = (_columns.status == "sending") & (_columns.claimed_until < now)
    with engine.begin() as connection:
        connection.execute(
            update(notification).where(stale, _columns.is_possible_repeat.is_(True)).values(status="unconfirmed")
        )
        connection.execute(
            update(notification)
            .where(stale, _columns.is_possible_repeat.is_(False))
            .values(status="waiting", is_possible_repeat=True, next_attempt_at=now)
        )


def _due(engine: Engine, now: datetime) -> list[int]:
    query = (
        select(_columns.id)
        .where(_columns.status == "waiting", _columns.next_attempt_at <= now)
        .order_by(_columns.id)
        .limit(MOST_AT_ONCE)
    )
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def _claimed(engine: Engine, notification_id: int, now: datetime, deliverer: str) -> dict[str, Any] | None:
    """Claim one row; None when somebody else was faster."""
    with engine.begin() as connection:
        claimed = connection.execute(
            update(notification)
            .where(_columns.id == notification_id, _columns.status == "waiting")
            .values(
                status="sending",
                claimed_by=deliverer[:150],
                claimed_until=now + CLAIM,
                attempts=_columns.attempts + 1,
            )
        )
        if claimed.rowcount != 1:
            return None
        row = connection.execute(select(notification).where(_columns.id == notification_id)).one()
    return row._asdict()


def _note(engine: Engine, notification_id: int, deliverer: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(
            update(notification)
            .where(_columns.id == notification_id, _columns.status == "sending", _columns.claimed_by == deliverer[:150])
            .values(**values)
        )
