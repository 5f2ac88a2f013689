"""Errors: those of one workflow, the newest, and the groups that they form."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select

from e2edebug_schema.queries.reading import Source, by_correlation, columns_of, equals, reading, to_record
from e2edebug_schema.queries.sessions import Session
from e2edebug_schema.queries.workflow_extent import extent_of
from e2edebug_schema.tables import error_group, error_log

_NEAR: Final = timedelta(days=1)
"""Errors do not move the times of a session. Nearly all lie within them, but for those of a machine whose clock is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """One exception that happened once: the row of debugging_error_log."""

    id: int
    correlation_id: str | None
    trace_id: str | None
    span_id: str | None
    timestamp: datetime
    layer: str
    component: str
    severity: str
    error_type: str
    error_message: str
    stack_trace: str
    fingerprint: str
    fingerprint_version: int
    user_id: str | None
    request_path: str | None
    request_method: str | None
    user_agent: str | None
    ip_address: str | None
    resolved: bool
    resolution_notes: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    service: str
    service_release: str | None
    metadata: dict[str, Any]
    error_class: str
    """What kind of error it is, such as `database.deadlock`; '' where it was stored before there were classes."""

    @property
    def key(self) -> "ErrorKey":
        """Where the page after this error starts."""
        return ErrorKey(self.timestamp, self.id)


class ErrorKey(NamedTuple):
    """A place in the list of errors, which runs from new to old."""

    timestamp: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFilter:
    """Which errors to list; what is None does not restrict."""

    layer: str | None = None
    component: str | None = None
    severity: str | None = None
    error_type: str | None = None
    error_class: str | None = None
    fingerprint: str | None = None
    service_release: str | None = None
    resolved: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Errors of one cause: the row of debugging_error_group."""

    id: int
    fingerprint: str
    fingerprint_version: int
    title: str
    error_type: str
    layer: str
    component: str
    first_seen: datetime
    last_seen: datetime
    first_release: str | None
    last_release: str | None
    occurrences: int
    status: str
    resolution_notes: str | None
    error_class: str

    @property
    def key(self) -> ErrorKey:
        """Where the page after this group starts."""
        return ErrorKey(self.last_seen, self.id)


def errors_of(source: Source, correlation_id: str, *, session: Session | None = None, limit: int = 1000) -> list[Error]:
    """Return the errors of the workflow in the order in which they happened.

    session: that of the workflow, where the caller has read it in the same transaction; where it counts no error, nothing
    is read.
    """
    query = (
        by_correlation(select(*columns_of(error_log, Error)), error_log, "ix_error_correlation")
        .where(equals(error_log.c.correlation_id, correlation_id))
        .order_by(error_log.c.timestamp, error_log.c.id)
        .limit(limit)
    )
    with reading(source) as connection:
        extent = extent_of(connection, correlation_id, session)
        if extent is not None:
            if not extent.error_count:
                return []
            near = query.where(*extent.covers(error_log.c.timestamp, slack=_NEAR))
            found = [to_record(Error, row) for row in connection.execute(near)]
            if len(found) >= extent.error_count:  # else some are far from it, and may be earlier than these
                return found
        return [to_record(Error, row) for row in connection.execute(query)]


def list_errors(
    source: Source, *, filters: ErrorFilter | None = None, limit: int = 50, before: ErrorKey | None = None
) -> list[Error]:
    """Return the newest errors first. before: the key of the last error of the page before."""
    query = (
        select(*columns_of(error_log, Error))
        .where(*_conditions(filters or ErrorFilter()), *_page(error_log.c.timestamp, error_log.c.id, before))
        .order_by(error_log.c.timestamp.desc(), error_log.c.id.desc())
        .limit(limit)
    )
    with reading(source) as connection:
        return [to_record(Error, row) for row in connection.execute(query)]


def error_groups(
    source: Source,
    *,
    status: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
    before: ErrorKey | None = None,
) -> list[ErrorGroup]:
    """Return the groups seen last first. since: groups not seen after it are left out."""
    columns = error_group.c
    query = select(*columns_of(error_group, ErrorGroup)).where(*_page(columns.last_seen, columns.id, before))
    if status is not None:
        query = query.where(equals(columns.status, status))
    if since is not None:
        query = query.where(columns.last_seen >= since)
    query = query.order_by(columns.last_seen.desc(), columns.id.desc()).limit(limit)
    with reading(source) as connection:
        return [to_record(ErrorGroup, row) for row in connection.execute(query)]


def _conditions(filters: ErrorFilter) -> list[ColumnElement[bool]]:
    names = (
        "layer",
        "component",
        "severity",
        "error_type",
        "error_class",
        "fingerprint",
        "service_release",
        "resolved",
    )
    columns = error_log.c
    conditions: list[ColumnElement[bool]] = [
        equals(columns[name], value) for name in names if (value := getattr(filters, name)) is not None
    ]
    if filters.since is not None:
        conditions.append(columns.timestamp >= filters.since)
    if filters.until is not None:
        conditions.append(columns.timestamp < filters.until)
    return conditions


def _page(time: ColumnElement[datetime], row_id: ColumnElement[int], before: ErrorKey | None) -> list[Any]:
    if before is None:
        return []
    return [time <= before.timestamp, or_(time < before.timestamp, and_(time == before.timestamp, row_id < before.id))]
