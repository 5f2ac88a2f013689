"""The steps of one workflow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from e2edebug_schema.queries.reading import Source, by_correlation, columns_of, equals, reading, to_record
from e2edebug_schema.queries.sessions import Session
from e2edebug_schema.queries.workflow_extent import extent_of
from e2edebug_schema.tables import trace_step

MOST_STEPS: Final = 50_000


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


def steps_of(
    source: Source, correlation_id: str, *, session: Session | None = None, limit: int = MOST_STEPS
) -> list[Step]:
    """Return the steps of the workflow in the order in which they started; its first *limit* ones.

    session: that of the workflow, where the caller has read it in the same transaction, so that it is not asked for again;
    what was stored since then might begin before it. Several traces may be among the steps. A step whose parent has not
    arrived, or was not sampled, is there all the same.
    """
    with reading(source) as connection:
        extent = extent_of(connection, correlation_id, session)
        times = () if extent is None else extent.covers(trace_step.c.start_time)
        query = (
            by_correlation(select(*columns_of(trace_step, Step)), trace_step, "ix_step_correlation")
            .where(equals(trace_step.c.correlation_id, correlation_id), *times)
            .order_by(trace_step.c.start_time, trace_step.c.id)
            .limit(limit)
        )
        return [to_record(Step, row) for row in connection.execute(query)]
