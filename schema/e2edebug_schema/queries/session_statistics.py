"""How the workflows of a period went, by type: counted by the server from an index, never row by row.

The counts of two periods add up (`merge`), so that whoever asks for a day every few seconds keeps its past hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import case, func, select

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.durations import bucket_of
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import workflow_session


@dataclass(slots=True, kw_only=True)
class WorkflowCounts:
    """The workflows of one type that started in a period."""

    workflow_type: str
    by_status: dict[str, int] = field(default_factory=dict)
    with_errors: int = 0
    """Those in which an error was recorded, whatever became of them."""
    timed: int = 0
    total_ms: float = 0.0
    durations: Histogram = field(default_factory=Histogram)

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.by_status.values())

    @property
    def mean_ms(self) -> float | None:
        """The arithmetic mean of those that have a duration."""
        return self.total_ms / self.timed if self.timed else None

    def merge(self, other: "WorkflowCounts") -> None:
        """Add the workflows of another period."""
        for status, count in other.by_status.items():
            self.by_status[status] = self.by_status.get(status, 0) + count
        self.with_errors += other.with_errors
        self.timed += other.timed
        self.total_ms += other.total_ms
        self.durations.merge(other.durations)


def workflow_counts(source: Source, *, since: datetime, until: datetime) -> list[WorkflowCounts]:
    """Return the counts of each type of workflow that started from *since* on and before *until*, by type."""
    columns = workflow_session.c
    with reading(source) as connection:
        bucket = bucket_of(connection, columns.duration_ms)
        query = (
            select(
                columns.workflow_type, columns.status, bucket, func.count(), func.count(columns.duration_ms),
                func.sum(columns.duration_ms), func.min(columns.duration_ms), func.max(columns.duration_ms),
                func.sum(case((columns.error_count > 0, 1), else_=0)),
            )
            .where(columns.start_time >= since, columns.start_time < until)
            .group_by(columns.workflow_type, columns.status, bucket)
        )  # fmt: skip
        rows = connection.execute(query).all()
    found: dict[str, WorkflowCounts] = {}
    for workflow_type, status, index, count, timed, total_ms, shortest, longest, with_errors in rows:
        counts = found.get(workflow_type)
        if counts is None:
            counts = found[workflow_type] = WorkflowCounts(workflow_type=workflow_type)
        durations = Histogram(minimum=shortest, maximum=longest)
        if index is not None:
            durations.counts[int(index)] = timed
        else:
            durations.zero_count = timed
        part = WorkflowCounts(
            workflow_type=workflow_type,
            by_status={status: count},
            with_errors=int(with_errors),
            timed=timed,
            total_ms=total_ms or 0.0,
            durations=durations,
        )
        counts.merge(part)
    return [found[workflow_type] for workflow_type in sorted(found)]


def merged_counts(periods: Iterable[Iterable[WorkflowCounts]]) -> list[WorkflowCounts]:
    """Return the counts of several periods together, by type. What is given stays as it is."""
    found: dict[str, WorkflowCounts] = {}
    for period in periods:
        for counts in period:
            found.setdefault(counts.workflow_type, WorkflowCounts(workflow_type=counts.workflow_type)).merge(counts)
    return [found[workflow_type] for workflow_type in sorted(found)]
