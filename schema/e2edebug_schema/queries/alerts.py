"""Alerts: the list, one with its history, what the evaluator remembers, and what people were told."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, func, or_, select

from e2edebug_schema.alert_tables import (
    alert_event,
    alert_target,
    evaluation,
    maintenance_window,
    notification,
)
from e2edebug_schema.queries.reading import Source, columns_of, decode_metadata, equals, reading, to_record
from e2edebug_schema.tables import alert

OPEN_STATES: Final = ("firing", "no_data", "flapping", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """One alert from its beginning to its end: the row of debugging_alert."""

    id: int
    threshold_id: int | None
    layer: str
    component: str
    metric_name: str
    level: str
    state: str
    value: float | None
    limit_value: float | None
    started_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None
    correlation_id: str | None
    recommendation: str | None

    @property
    def is_open(self) -> bool:
        """It is not over."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One change of an alert: the row of debugging_alert_event."""

    id: int
    alert_id: int
    occurred_at: datetime
    kind: str
    from_state: str
    to_state: str
    level: str | None
    value: float | None
    limit_value: float | None
    window_s: int
    samples: int
    correlation_id: str | None
    actor: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedTarget:
    """What the evaluator keeps of one target: the row of debugging_alert_target."""

    id: int
    layer: str
    metric_name: str
    component: str
    alert_id: int | None
    state: str
    level: str | None
    memory: dict[str, Any]
    told: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """How far the evaluator has come: the row of debugging_evaluation."""

    version: int
    evaluated_until: datetime | None
    newest_id: int
    floor_id: int
    floor_until: datetime | None
    evaluator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """A time without messages: the row of debugging_maintenance_window."""

    id: int
    layer: str
    component: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotification:
    """One message: the row of debugging_notification."""

    id: int
    route: str
    kind: str
    status: str
    level: str | None
    alert_ids: str
    subject: str
    message: str
    payload: str
    created_at: datetime
    next_attempt_at: datetime
    attempts: int
    sent_at: datetime | None
    is_possible_repeat: bool
    last_error: str


class AlertKey(NamedTuple):
    """A place in the list of alerts, which runs from new to old."""

    started_at: datetime
    id: int


def list_alerts(
    source: Source,
    *,
    states: Collection[str] | None = None,
    layer: str | None = None,
    component: str | None = None,
    metric_name: str | None = None,
    level: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    before: AlertKey | None = None,
) -> list[StoredAlert]:
    """Return the alerts that began last first. since: those that were over before it are left out."""
    columns = alert.c
    query = select(*columns_of(alert, StoredAlert))
    wanted = {"layer": layer, "component": component, "metric_name": metric_name, "level": level}
    query = query.where(*(equals(columns[name], value) for name, value in wanted.items() if value is not None))
    if states is not None:
        query = query.where(columns.state.in_(sorted(states)))
    if since is not None:
        query = query.where(columns.last_seen_at >= since)
    if before is not None:
        query = query.where(
            or_(
                columns.started_at < before.started_at,
                and_(columns.started_at == before.started_at, columns.id < before.id),
            )
        )
    query = query.order_by(columns.started_at.desc(), columns.id.desc()).limit(limit)
    with reading(source) as connection:
        return [to_record(StoredAlert, row) for row in connection.execute(query)]


def find_alert(source: Source, alert_id: int) -> StoredAlert | None:
    """Return one alert, None when it is not stored."""
    with reading(source) as connection:
        row = connection.execute(select(*columns_of(alert, StoredAlert)).where(alert.c.id == alert_id)).first()
    return None if row is None else to_record(StoredAlert, row)


def alerts_by_id(source: Source, ids: Collection[int]) -> dict[int, StoredAlert]:
    """Return those of the alerts that are stored."""
    if not ids:
        return {}
    query = select(*columns_of(alert, StoredAlert)).where(alert.c.id.in_(sorted(ids)))
    with reading(source) as connection:
        return {row.id: to_record(StoredAlert, row) for row in connection.execute(query)}


def events_of(source: Source, alert_id: int, *, limit: int = 1000) -> list[AlertEvent]:
    """Return what became of an alert, oldest first."""
    query = (
        select(*columns_of(alert_event, AlertEvent))
        .where(alert_event.c.alert_id == alert_id)
        .order_by(alert_event.c.id)
        .limit(limit)
    )
    with reading(source) as connection:
        return [to_record(AlertEvent, row) for row in connection.execute(query)]


def events_between(source: Source, *, since: datetime, until: datetime, kind: str) -> list[AlertEvent]:
    """Return the changes of one kind in a period, oldest first."""
    columns = alert_event.c
    query = (
        select(*columns_of(alert_event, AlertEvent))
        .where(columns.occurred_at >= since, columns.occurred_at <= until, columns.kind == kind)
        .order_by(columns.occurred_at, columns.id)
        .limit(1000)
    )
    with reading(source) as connection:
        return [to_record(AlertEvent, row) for row in connection.execute(query)]


def remembered_targets(source: Source) -> list[RememberedTarget]:
    """Return everything that the evaluator remembers."""
    with reading(source) as connection:
        return [
            RememberedTarget(
                **row._asdict() | {"memory": decode_metadata(row.memory), "told": decode_metadata(row.told)}
            )
            for row in connection.execute(select(*columns_of(alert_target, RememberedTarget)))
        ]


def stored_evaluation(source: Source, name: str) -> StoredEvaluation | None:
    """Return how far evaluation has come, None before the first one."""
    with reading(source) as connection:
        query = select(*columns_of(evaluation, StoredEvaluation)).where(evaluation.c.name == name)
        row = connection.execute(query).first()
    return None if row is None else to_record(StoredEvaluation, row)


def maintenance_windows(source: Source, *, ending_after: datetime) -> list[MaintenanceWindow]:
    """Return the windows that are not over, the next one first."""
    columns = maintenance_window.c
    query = (
        select(*columns_of(maintenance_window, MaintenanceWindow))
        .where(columns.ends_at > ending_after)
        .order_by(columns.starts_at, columns.id)
    )
    with reading(source) as connection:
        return [to_record(MaintenanceWindow, row) for row in connection.execute(query)]


def recent_messages(source: Source, *, since: datetime) -> dict[str, tuple[int, datetime]]:
    """Return how many messages each route has had since then, and when the last one was written."""
    columns = notification.c
    query = (
        select(columns.route, func.count(), func.max(columns.created_at))
        .where(columns.created_at >= since, columns.kind != "test")
        .group_by(columns.route)
    )
    with reading(source) as connection:
        return {route: (count, latest) for route, count, latest in connection.execute(query)}


def notifications(
    source: Source, *, alert_id: int | None = None, route: str | None = None, limit: int = 50
) -> list[StoredNotification]:
    """Return the messages that were written last first. alert_id: only those that tell of this alert."""
    query = select(*columns_of(notification, StoredNotification)).order_by(notification.c.id.desc())
    if route is not None:
        query = query.where(notification.c.route == route)
    with reading(source) as connection:
        found = [
            to_record(StoredNotification, row)
            for row in connection.execute(query.limit(limit if alert_id is None else 1000))
        ]
    if alert_id is not None:
        found = [one for one in found if alert_id in _ids(one.alert_ids)][:limit]
    return found


def _ids(text: str) -> list[int]:
    try:
        ids = json.loads(text)
    except ValueError:
        return []
    return ids if isinstance(ids, list) else []
