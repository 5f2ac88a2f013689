"""The steps of one workflow."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from e2edebug_schema.queries.reading import Source, columns_of, equals, reading, to_record
from e2edebug_schema.tables import trace_step, workflow_session

MOST_STEPS: Final = 50_000
LONGEST_TAIL: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One span: the row of debugging_trace_step."""

    id: int
    correlation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    layer: str
    component: str
    operation: str
    kind: str
    service: str
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    status: str
    status_message: str
    statement: str | None
    """The SQL text with its literals masked."""
    statement_digest: str | None
    code_location: str | None
    metadata: dict[str, Any]


def steps_of(source: Source, correlation_id: str, *, limit: int = MOST_STEPS) -> list[Step]:
    """Return the steps of the workflow in the order in which they started; its first *limit* ones.

    Several traces may be among them. A step whose parent has not arrived, or was not sampled, is there all the same.
    """
    with reading(source) as connection:
        query = (
            select(*columns_of(trace_step, Step))
            .where(equals(trace_step.c.correlation_id, correlation_id), *_time_bounds(connection, correlation_id))
            .order_by(trace_step.c.start_time, trace_step.c.id)
            .limit(limit)
        )
        return [to_record(Step, row) for row in connection.execute(query)]


def _time_bounds(connection: Connection, correlation_id: str) -> list[Any]:
    """Bounds that spare the server a look into the partition of every other day.

    The session's times cover its steps, because both are written in one transaction.
    """
    columns = workflow_session.c
    found = connection.execute(
        select(columns.start_time, columns.end_time, columns.status).where(
            equals(columns.correlation_id, correlation_id)
        )
    ).first()
    if found is None:
        return []
    bounds = [trace_step.c.start_time >= found.start_time]
    if found.end_time is not None and found.status in ("completed", "failed"):
        bounds.append(trace_step.c.start_time <= found.end_time + LONGEST_TAIL)
    return bounds
