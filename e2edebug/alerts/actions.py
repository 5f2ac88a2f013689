"""What people do about alerts: acknowledge, snooze, plan maintenance. Each is a row of the alert's history.

The transaction is the caller's.
"""

from datetime import datetime

from sqlalchemy import Connection, insert, update

from e2edebug.alerts.alert_store import store_event_by_hand
from e2edebug_schema.alert_tables import maintenance_window
from e2edebug_schema.queries.alerts import StoredAlert, find_alert
from e2edebug_schema.tables import LAYERS, alert


class NoSuchAlertError(LookupError):
    """No alert has this number."""


class AlertIsOverError(ValueError):
    """The alert has resolved; there is nothing to acknowledge or to snooze."""


def acknowledge(connection: Connection, alert_id: int, *, by: str, now: datetime, note: str = "") -> StoredAlert:
    """Note that *by* takes care of an alert: no more reminders, but for its getting worse. Doing it twice changes nothing.

    Raises NoSuchAlertError and AlertIsOverError.
    """
    found = _open_alert(connection, alert_id)
    changed = connection.execute(
        update(alert)
        .where(alert.c.id == alert_id, alert.c.acknowledged_at.is_(None), alert.c.state != "resolved")
        .values(acknowledged_by=by[:150], acknowledged_at=now)
    )
    if changed.rowcount == 1:
        store_event_by_hand(connection, found, kind="acknowledged", actor=by, note=note, now=now)
    return _found(connection, alert_id)


def snooze(
    connection: Connection, alert_id: int, *, until: datetime | None, by: str, now: datetime, note: str = ""
) -> StoredAlert:
    """Hold an alert's messages back until a moment; None ends that. What is still so at the end is told then.

    Raises NoSuchAlertError and AlertIsOverError, and ValueError for a moment that has passed.
    """
    if until is not None and until <= now:
        raise ValueError(f"{until.isoformat()} has passed; an alert is snoozed until a moment to come")
    found = _open_alert(connection, alert_id)
    connection.execute(
        update(alert).where(alert.c.id == alert_id, alert.c.state != "resolved").values(snoozed_until=until)
    )
    kind = "unsnoozed" if until is None else "snoozed"
    said = note if until is None else f"until {until.isoformat()}" + (f": {note}" if note else "")
    store_event_by_hand(connection, found, kind=kind, actor=by, note=said, now=now)
    return _found(connection, alert_id)


def plan_maintenance(
    connection: Connection,
    *,
    starts_at: datetime,
    ends_at: datetime,
    layer: str = "",
    component: str = "",
    reason: str = "",
    by: str = "",
    now: datetime,
) -> None:
    """Send no messages about a layer or component in a time. '' is every one. Raises ValueError for a wrong one."""
    if layer not in ("", *LAYERS):
        raise ValueError(f"layer={layer!r} is not one of {', '.join(LAYERS)}")
    if ends_at <= starts_at or ends_at <= now:
        raise ValueError("a maintenance window ends after it starts, and not in the past")
    connection.execute(
        insert(maintenance_window).values(
            layer=layer,
            component=component[:150],
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason[:255],
            created_by=by[:150],
            created_at=now,
        )
    )


def _open_alert(connection: Connection, alert_id: int) -> StoredAlert:
    found = _found(connection, alert_id)
    if not found.is_open:
        raise AlertIsOverError(f"alert {alert_id} is over since {found.resolved_at}")
    return found


def _found(connection: Connection, alert_id: int) -> StoredAlert:
    found = find_alert(connection, alert_id)
    if found is None:
        raise NoSuchAlertError(f"there is no alert {alert_id}")
    return found
