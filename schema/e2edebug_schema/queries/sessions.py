"""Workflow sessions: the list, and one of them by whatever id a person has at hand."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, union

from e2edebug_schema.queries.reading import Source, columns_of, equals, reading, to_record
from e2edebug_schema.tables import trace_step, workflow_session

SHORTEST_PREFIX: Final = 6
LONGEST_RUN: Final = timedelta(days=1)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One workflow: the row of debugging_workflow_session."""

    id: int
    correlation_id: str
    workflow_type: str
    user_id: str | None
    user_label: str | None
    session_key: str | None
    trace_id: str | None
    parent_correlation_id: str | None
    root_operation: str
    service: str
    service_release: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    status: str
    step_count: int
    query_count: int
    error_count: int
    repeat_count: int
    """How often the statement that was repeated most ran within one request; 0 or 1 when none was repeated."""
    repeat_digest: str | None
    repeat_statement: str | None
    slowest_step: str | None
    slowest_ms: float | None
    metadata: dict[str, Any]

    @property
    def key(self) -> "SessionKey":
        """Where the page after this session starts."""
        return SessionKey(self.start_time, self.id)


class SessionKey(NamedTuple):
    """A place in the list of sessions, which runs from new to old."""

    start_time: datetime
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions to list; what is None does not restrict."""

    workflow_type: str | None = None
    status: str | None = None
    user: str | None = None
    """The user's id or label, exactly."""
    service: str | None = None
    service_release: str | None = None
    since: datetime | None = None
    """UTC-aware; sessions that started earlier are left out."""
    until: datetime | None = None
    slower_than_ms: float | None = None
    with_errors: bool = False
    repeated_at_least: int | None = None
    """A statement ran at least so often within one request."""


def list_sessions(
    source: Source, *, filters: SessionFilter | None = None, limit: int = 50, before: SessionKey | None = None
) -> list[Session]:
    """Return the newest sessions first. before: the key of the last session of the page before."""
    given = filters or SessionFilter()
    conditions = _conditions(given)
    if before is not None:
        start_time, row_id = workflow_session.c.start_time, workflow_session.c.id
        # Not a row comparison: MariaDB and MySQL do not use the index for it. The first term alone bounds the range.
        conditions += [
            start_time <= before.start_time,
            or_(start_time < before.start_time, and_(start_time == before.start_time, row_id < before.id)),
        ]
    query = select(*columns_of(workflow_session, Session))
    if given.user is None:
        query = query.where(*conditions)
    else:
        query = query.where(workflow_session.c.id.in_(_newest_of_user(given.user, conditions, limit)))
    query = query.order_by(workflow_session.c.start_time.desc(), workflow_session.c.id.desc()).limit(limit)
    with reading(source) as connection:
        return [to_record(Session, row) for row in connection.execute(query)]


def find_session(source: Source, reference: str) -> Session | None:
    """Return the session that *reference* names, or None.

    A correlation id, a trace id (32 hexadecimal digits, with or without the dashes of a UUID), or the beginning of a
    correlation id, from six characters on, that no other session shares.
    """
    reference = reference.strip()
    with reading(source) as connection:
        return (
            _one(connection, equals(workflow_session.c.correlation_id, reference))
            or _by_trace(connection, reference.replace("-", "").lower())
            or _by_prefix(connection, reference)
        )


def sessions_with_prefix(source: Source, prefix: str, *, limit: int = 10) -> list[Session]:
    """Return the first *limit* sessions, by id, whose correlation id begins with *prefix*; none for a short prefix."""
    condition = _begins_with(prefix.strip())
    if condition is None:
        return []
    query = (
        select(*columns_of(workflow_session, Session))
        .where(condition)
        .order_by(workflow_session.c.correlation_id)
        .limit(limit)
    )
    with reading(source) as connection:
        return [to_record(Session, row) for row in connection.execute(query)]


def sessions_within(source: Source, session: Session, *, limit: int = 50) -> list[Session]:
    """Return the sessions that were started while *session* ran and name it as their parent, in order of start."""
    columns = workflow_session.c
    # No index holds the parents; the time of the outer session, in which the inner ones began, is a short range of one.
    last = session.end_time if session.end_time is not None and session.status in ("completed", "failed") else None
    query = (
        select(*columns_of(workflow_session, Session))
        .where(
            columns.parent_correlation_id == session.correlation_id,
            columns.correlation_id != session.correlation_id,
            columns.start_time >= session.start_time,
            columns.start_time <= (last or session.start_time + LONGEST_RUN),
        )
        .order_by(columns.start_time, columns.id)
        .limit(limit)
    )
    with reading(source) as connection:
        return [to_record(Session, row) for row in connection.execute(query)]


def sessions_of_steps(source: Source, trace_id: str, span_ids: Collection[str]) -> dict[str, Session]:
    """Return the session that each of these steps of one trace belongs to, by span id; steps not stored are left out."""
    if not span_ids:
        return {}
    query = select(trace_step.c.span_id, trace_step.c.correlation_id).where(
        equals(trace_step.c.trace_id, trace_id), trace_step.c.span_id.in_(sorted(span_ids))
    )
    with reading(source) as connection:
        owners = {row.span_id: row.correlation_id for row in connection.execute(query)}
        ids = sorted(set(owners.values()))
        sessions = select(*columns_of(workflow_session, Session)).where(workflow_session.c.correlation_id.in_(ids))
        found = {row.correlation_id: to_record(Session, row) for row in connection.execute(sessions)}
    return {span_id: found[owner] for span_id, owner in owners.items() if owner in found}


def _newest_of_user(user: str, conditions: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    """The ids of the newest sessions whose user has this id or this name.

    Each by its own index and in its order. Under one OR neither index has the order, so the server reads all sessions
    from the newest on until it has found enough: for a user with fewer, every one there is.
    """
    columns = workflow_session.c
    newest = [
        select(columns.id)
        .where(column == user, *conditions)
        .order_by(columns.start_time.desc(), columns.id.desc())
        .limit(limit)
        .subquery()
        for column in (columns.user_id, columns.user_label)
    ]
    # Within a subquery once more: MySQL refuses LIMIT right below IN.
    return select(union(*(select(part.c.id) for part in newest)).subquery().c.id)


def _conditions(filters: SessionFilter) -> list[ColumnElement[bool]]:
    """What every session has to fulfil, but for its user."""
    columns = workflow_session.c
    conditions: list[ColumnElement[bool]] = []
    for name in ("workflow_type", "status", "service", "service_release"):
        if (value := getattr(filters, name)) is not None:
            conditions.append(equals(columns[name], value))
    if filters.since is not None:
        conditions.append(columns.start_time >= filters.since)
    if filters.until is not None:
        conditions.append(columns.start_time < filters.until)
    if filters.slower_than_ms is not None:
        conditions.append(columns.duration_ms > filters.slower_than_ms)
    if filters.with_errors:
        conditions.append(columns.error_count > 0)
    if filters.repeated_at_least is not None:
        conditions.append(columns.repeat_count >= filters.repeated_at_least)
    return conditions


def _one(connection: Connection, condition: ColumnElement[bool]) -> Session | None:
    rows = connection.execute(select(*columns_of(workflow_session, Session)).where(condition).limit(2)).all()
    return to_record(Session, rows[0]) if len(rows) == 1 else None


def _by_trace(connection: Connection, trace_id: str) -> Session | None:
    """By the steps, because a session keeps the first of its traces only."""
    if not _TRACE_ID.fullmatch(trace_id):
        return None
    found = connection.execute(
        select(trace_step.c.correlation_id).where(trace_step.c.trace_id == trace_id).limit(1)
    ).scalar()
    return None if found is None else _one(connection, workflow_session.c.correlation_id == found)


def _by_prefix(connection: Connection, prefix: str) -> Session | None:
    condition = _begins_with(prefix)
    return None if condition is None else _one(connection, condition)


def _begins_with(prefix: str) -> ColumnElement[bool] | None:
    if len(prefix) < SHORTEST_PREFIX or not prefix.isascii():
        return None
    return workflow_session.c.correlation_id.startswith(prefix, autoescape=True)
