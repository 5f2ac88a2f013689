"""What a period shows: totals, slow endpoints, repeated and slow statements, failing workflows.

Each reads one bounded period. Never a percentile by ROW_NUMBER, which took 26 s for a day (reference measurements,
section 2): steps are counted into histograms by the server, sessions are few and sorted in Python.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, case, func, select

from e2edebug_schema.queries.durations import Durations, durations_by, longest_of
from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import (
    error_log,
    performance_snapshot,
    trace_step,
    workflow_session,
)

_IDS: Final = 1 << 41
"""More than a table has rows: with a count before it, an id still fits into a BIGINT."""
_MOST_REPEATS: Final = (1 << 21) - 1
"""More repetitions than that are not told apart."""
_MOST_COUNTS: Final = 500
"""So many different counts of repetitions are looked up one by one; MariaDB makes a subquery of 1,000 values in an IN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many rows a period has."""

    sessions: int
    steps: int
    snapshots: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatistics:
    """One action of one view."""

    service: str
    component: str
    operation: str
    count: int
    failed: int
    mean_ms: float
    p95_ms: float
    max_ms: float
    slowest_correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedStatement:
    """One statement that single requests ran many times."""

    digest: str
    statement: str
    sessions: int
    """How many sessions it was the most repeated statement of."""
    most_repeats: int
    worst_correlation_id: str
    workflow_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementStatistics:
    """One statement, whatever its literals."""

    digest: str
    statement: str
    component: str
    count: int
    total_ms: float
    mean_ms: float
    p95_ms: float
    max_ms: float
    slowest_correlation_id: str
    code_location: str | None
    """The line of the application that ran it, where its slowest run came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStatistics:
    """One kind of workflow."""

    workflow_type: str
    count: int
    completed: int
    failed: int
    timeout: int
    in_progress: int
    mean_ms: float | None
    p95_ms: float | None
    max_ms: float | None
    slowest_correlation_id: str | None
    failed_correlation_id: str | None
    """The latest one that failed."""


def totals(source: Source, *, since: datetime, until: datetime | None = None) -> Totals:
    """Return how much the period holds."""
    with reading(source) as connection:

        def count(table: Table, time: str) -> int:
            query = select(func.count()).select_from(table).where(*_within(table, time, since, until))
            return int(connection.execute(query).scalar_one())

        return Totals(
            sessions=count(workflow_session, "start_time"),
            steps=count(trace_step, "start_time"),
            snapshots=count(performance_snapshot, "timestamp"),
            errors=count(error_log, "timestamp"),
        )


def slowest_endpoints(
    source: Source, *, since: datetime, until: datetime | None = None, limit: int = 10
) -> list[EndpointStatistics]:
    """Return the served requests by component and operation, the highest p95 first."""
    columns = trace_step.c
    keys = [columns.service, columns.component, columns.operation]
    served = [*_within(trace_step, "start_time", since, until), columns.layer == "api", columns.kind == "server"]
    with reading(source) as connection:
        groups = durations_by(connection, keys, served)
        slowest = dict(sorted(groups.items(), key=lambda item: (-item[1].p95_ms, item[0]))[:limit])
        examples = longest_of(connection, keys, served, slowest)
    return [
        EndpointStatistics(
            service=key[0],
            component=key[1],
            operation=key[2],
            count=found.count,
            failed=found.failed,
            mean_ms=found.mean_ms,
            p95_ms=found.p95_ms,
            max_ms=found.max_ms,
            slowest_correlation_id=examples.get(key, ""),
        )
        for key, found in slowest.items()
    ]


def repeated_statements(
    source: Source, *, since: datetime, until: datetime | None = None, at_least: int = 5, limit: int = 10
) -> list[RepeatedStatement]:
    """Return the statements that one request ran *at_least* times, the most repeated first (N+1 queries)."""
    columns = workflow_session.c
    # One number for the worst session and which one it is: a second look at each group would read the index again.
    worst = func.max(
        case((columns.repeat_count < _MOST_REPEATS, columns.repeat_count), else_=_MOST_REPEATS) * _IDS + columns.id
    )
    query = (
        select(columns.repeat_digest, columns.workflow_type, func.count(), worst)
        .where(*_within(workflow_session, "start_time", since, until), columns.repeat_digest.is_not(None))
        .group_by(columns.repeat_digest, columns.workflow_type)
    )
    found: dict[str, _Repeats] = {}
    with reading(source) as connection:
        for repeated in _repeat_counts(connection, at_least):
            for digest, workflow_type, sessions, number in connection.execute(query.where(repeated)):
                repeats = found.setdefault(digest, _Repeats())
                repeats.sessions += sessions
                repeats.worst = max(repeats.worst, int(number))
                repeats.workflow_types.add(workflow_type)
        shown = sorted(found, key=lambda digest: (-found[digest].most, -found[digest].sessions, digest))[:limit]
        examples = {
            row.repeat_digest: row
            for row in connection.execute(
                select(columns.repeat_digest, columns.repeat_count, columns.repeat_statement, columns.correlation_id)
                .where(columns.id.in_([found[digest].worst % _IDS for digest in shown]))
            )
        }  # fmt: skip
    return [
        RepeatedStatement(
            digest=digest,
            statement=examples[digest].repeat_statement or "",
            sessions=found[digest].sessions,
            most_repeats=examples[digest].repeat_count,
            worst_correlation_id=examples[digest].correlation_id,
            workflow_types=tuple(sorted(found[digest].workflow_types)),
        )
        for digest in shown
        if digest in examples  # else retention has been faster
    ]


@dataclass(slots=True)
class _Repeats:
    """One repeated statement while its groups are added up."""

    sessions: int = 0
    worst: int = 0
    workflow_types: set[str] = field(default_factory=set)

    @property
    def most(self) -> int:
        return self.worst // _IDS


def _repeat_counts(connection: Connection, at_least: int) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that no session fulfils twice; together they say that it repeats a statement *at_least* times.

    Of each count the index has the sessions in the order of time, so that those of a period are read, and of them only
    those that repeat. `repeat_count >= 5` would read them of all days, and by time alone all sessions of the period.
    """
    count = workflow_session.c.repeat_count
    query = select(count).where(count >= at_least).distinct().order_by(count).limit(_MOST_COUNTS)
    counts = list(connection.execute(query).scalars())
    if counts:
        yield count.in_(counts)
    if len(counts) == _MOST_COUNTS:
        yield count > counts[-1]


def slowest_statements(
    source: Source, *, since: datetime, until: datetime | None = None, limit: int = 10
) -> list[StatementStatistics]:
    """Return the statements that took the most time together, the costliest first."""
    columns = trace_step.c
    keys = [columns.statement_digest, columns.component]
    ran = [
        *_within(trace_step, "start_time", since, until),
        columns.layer == "database",
        columns.statement_digest.is_not(None),
    ]
    with reading(source) as connection:
        groups = durations_by(connection, keys, ran)
        costliest = dict(sorted(groups.items(), key=lambda item: (-item[1].total_ms, item[0]))[:limit])
        examples = longest_of(connection, keys, ran, costliest)
        return [
            _statement_statistics(connection, key[0], key[1], found, examples.get(key, ""))
            for key, found in costliest.items()
        ]


def workflow_statistics(source: Source, *, since: datetime, until: datetime | None = None) -> list[WorkflowStatistics]:
    """Return every kind of workflow of the period, the one with the largest share of failures first."""
    columns = workflow_session.c
    query = (
        select(columns.workflow_type, columns.status, columns.duration_ms, columns.correlation_id)
        .where(*_within(workflow_session, "start_time", since, until))
        .order_by(columns.start_time)
    )
    with reading(source) as connection:
        groups = _grouped(connection, query, "workflow_type")
    found = [_workflow_statistics(workflow_type, rows) for (workflow_type,), rows in groups.items()]
    return sorted(found, key=lambda workflow: (-workflow.failed / workflow.count, workflow.workflow_type))


def failing_workflows(source: Source, *, since: datetime, until: datetime | None = None) -> list[WorkflowStatistics]:
    """Return the kinds of workflow of which at least one failed or timed out."""
    found = workflow_statistics(source, since=since, until=until)
    return [workflow for workflow in found if workflow.failed or workflow.timeout]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that *percent* of the values, at least one, do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _statement_statistics(
    connection: Connection, digest: str, component: str, found: Durations, correlation_id: str
) -> StatementStatistics:
    columns = trace_step.c
    # The text is read once for each statement that is shown: it is the widest column of the table.
    example = connection.execute(
        select(columns.statement, columns.code_location)
        .where(columns.correlation_id == correlation_id, columns.statement_digest == digest)
        .order_by(columns.duration_ms.desc())
        .limit(1)
    ).first()
    return StatementStatistics(
        digest=digest,
        statement=(example.statement or "") if example else "",
        component=component,
        count=found.count,
        total_ms=found.total_ms,
        mean_ms=found.mean_ms,
        p95_ms=found.p95_ms,
        max_ms=found.max_ms,
        slowest_correlation_id=correlation_id,
        code_location=example.code_location if example else None,
    )


def _workflow_statistics(workflow_type: str, rows: list[Row[Any]]) -> WorkflowStatistics:
    timed = [row for row in rows if row.duration_ms is not None]
    slowest = _slowest(timed) if timed else None
    by_status = {status: [row for row in rows if row.status == status] for status in {row.status for row in rows}}
    failed = by_status.get("failed", [])
    return WorkflowStatistics(
        workflow_type=workflow_type,
        count=len(rows),
        completed=len(by_status.get("completed", [])),
        failed=len(failed),
        timeout=len(by_status.get("timeout", [])),
        in_progress=len(by_status.get("in_progress", [])),
        mean_ms=_mean(timed) if timed else None,
        p95_ms=percentile([row.duration_ms for row in timed], 95) if timed else None,
        max_ms=slowest.duration_ms if slowest else None,
        slowest_correlation_id=slowest.correlation_id if slowest else None,
        failed_correlation_id=failed[-1].correlation_id if failed else None,
    )


def _grouped(connection: Connection, query: Select[Any], *names: str) -> dict[tuple[str, ...], list[Row[Any]]]:
    groups: defaultdict[tuple[str, ...], list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        groups[tuple(row._mapping[name] for name in names)].append(row)
    return groups


def _mean(rows: Sequence[Row[Any]]) -> float:
    return float(sum(row.duration_ms for row in rows) / len(rows))


def _slowest(rows: Sequence[Row[Any]]) -> Row[Any]:
    return max(rows, key=lambda row: (row.duration_ms, row.correlation_id))


def _within(table: Table, time: str, since: datetime, until: datetime | None) -> list[Any]:
    column = table.columns[time]
    return [column >= since] if until is None else [column >= since, column < until]
