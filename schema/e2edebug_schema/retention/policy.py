"""How long what is kept, and which tables grow old at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Column, ColumnElement, Table, func, true

from e2edebug_schema.alert_tables import alert_event, notification
from e2edebug_schema.tables import (
    alert,
    error_group,
    error_group_change,
    error_log,
    performance_snapshot,
    trace_step,
    workflow_session,
)

MERGE_AFTER: Final = timedelta(days=2)
"""Snapshots older than this are merged into hours."""


@dataclass(frozen=True, slots=True)
class AgedTable:
    """A table whose rows are deleted when they are old."""

    table: Table
    time: Column[datetime]
    """What a row's age is told by."""
    walked_by: Column[datetime] | Column[int]
    """The key that old rows are found by: the time where an index begins with it, else the id."""
    condition: ColumnElement[bool]
    """Which old rows may go."""

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name


AGED_TABLES: Final = (
    AgedTable(trace_step, trace_step.c.start_time, trace_step.c.start_time, true()),
    AgedTable(performance_snapshot, performance_snapshot.c.timestamp, performance_snapshot.c.id, true()),
    AgedTable(error_log, error_log.c.timestamp, error_log.c.timestamp, true()),
    AgedTable(workflow_session, workflow_session.c.start_time, workflow_session.c.start_time, true()),
    AgedTable(error_group, error_group.c.last_seen, error_group.c.last_seen, true()),
    AgedTable(error_group_change, error_group_change.c.changed_at, error_group_change.c.id, true()),
    AgedTable(alert, alert.c.last_seen_at, alert.c.id, alert.c.resolved_at.is_not(None)),
    AgedTable(alert_event, alert_event.c.occurred_at, alert_event.c.occurred_at, true()),
    AgedTable(notification, notification.c.created_at, notification.c.id, true()),
)
"""In the order in which they are cleared; the largest first."""

DEFAULT_DAYS: Final[Mapping[str, float]] = {
    trace_step.name: 14,
    performance_snapshot.name: 90,
    error_log.name: 90,
    workflow_session.name: 30,
    error_group.name: 365,
    error_group_change.name: 365,
    alert.name: 180,
    alert_event.name: 180,
    notification.name: 180,
}
DEFAULT_MAX_BYTES: Final = 20 * 1024**3


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Days for each table, and how large all of it may become."""

    days: Mapping[str, float]
    """Table name -> days; 0 keeps its rows for ever."""
    max_bytes: int = DEFAULT_MAX_BYTES
    """Beyond this the oldest days go before their time; 0 is no limit."""

    def cutoff(self, table: Table, now: datetime) -> datetime | None:
        """Return the moment before which rows of *table* go, None when they stay for ever."""
        days = self.days.get(table.name, 0)
        return now - timedelta(days=days) if days else None


DEFAULT_POLICY: Final = RetentionPolicy(DEFAULT_DAYS)


def start_of_day(moment: datetime) -> datetime:
    """Return midnight (UTC) of the day of *moment*."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def last_news(aged: AgedTable) -> ColumnElement[datetime]:
    """Return the time that decides over a row: a workflow that began long ago and still goes on is not old."""
    if aged.table is workflow_session:
        return func.coalesce(workflow_session.c.end_time, aged.time)
    return aged.time
