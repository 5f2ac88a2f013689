"""When a workflow was, and whether it has errors: what spares a server the look into every other day's partition."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, select

from e2edebug_schema.queries.reading import equals
from e2edebug_schema.queries.sessions import Session
from e2edebug_schema.tables import workflow_session

LONGEST_TAIL: Final = timedelta(days=1)
"""What belongs to a workflow may begin so long after its end: a task that it left behind, and that still runs."""


class WorkflowExtent(NamedTuple):
    """Of a workflow whose session is stored. Its steps and errors are written in one transaction with it."""

    start_time: datetime
    """No step starts before it."""
    last_start: datetime | None
    """No step starts after it; None while more may come."""
    error_count: int

    def covers(self, column: Column[Any], *, slack: timedelta = timedelta(0)) -> list[ColumnElement[bool]]:
        """Return the conditions that *column*, a time, lies in the workflow, or before it by *slack*."""
        bounds = [column >= self.start_time - slack]
        if self.last_start is not None:
            bounds.append(column <= self.last_start)
        return bounds


def extent_of(connection: Connection, correlation_id: str, session: Session | None) -> WorkflowExtent | None:
    """Return the extent of the workflow, None where no session is stored. session: the one, where it has been read."""
    if session is not None and session.correlation_id == correlation_id:
        return _extent(session.start_time, session.end_time, session.status, session.error_count)
    columns = workflow_session.c
    found = connection.execute(
        select(columns.start_time, columns.end_time, columns.status, columns.error_count).where(
            equals(columns.correlation_id, correlation_id)
        )
    ).first()
    if found is None:
        return None
    return _extent(*found)


def _extent(start_time: datetime, end_time: datetime | None, status: str, error_count: int) -> WorkflowExtent:
    last_start = None
    if end_time is not None and status in ("completed", "failed"):
        last_start = end_time + LONGEST_TAIL
    return WorkflowExtent(start_time, last_start, error_count)
