"""What the store knows of the requests behind alerts: by their correlation ids, never by a search among the spans."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from e2edebug_schema.alert_tables import release
from e2edebug_schema.queries.reading import Source, columns_of, decode_metadata, reading
from e2edebug_schema.tables import error_log, trace_step, workflow_session

MOST_STEPS: Final = 20_000
MOST_ERRORS: Final = 500
REACH: Final = timedelta(hours=26)
"""Examples are of the last window; a back test or a catching up may look a day back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceStep:
    """What advice reads of a step."""

    correlation_id: str
    span_id: str
    parent_span_id: str | None
    layer: str
    component: str
    operation: str
    kind: str
    duration_ms: float | None
    status: str
    status_message: str
    statement: str | None
    statement_digest: str | None
    code_location: str | None
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceError:
    """What advice reads of an error."""

    correlation_id: str | None
    timestamp: datetime
    layer: str
    component: str
    error_type: str
    error_message: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRelease:
    """When a version was first at work: the row of debugging_release."""

    service: str
    service_release: str
    first_seen: datetime
    last_seen: datetime


def steps_of_examples(source: Source, ids: Collection[str], *, now: datetime) -> list[EvidenceStep]:
    """Return the steps of some workflows of the last day, in the order of time."""
    if not ids:
        return []
    query = (
        select(*columns_of(trace_step, EvidenceStep))
        .where(trace_step.c.correlation_id.in_(sorted(ids)), trace_step.c.start_time >= now - REACH)
        .order_by(trace_step.c.start_time)
        .limit(MOST_STEPS)
    )
    with reading(source) as connection:
        return [
            EvidenceStep(**row._asdict() | {"metadata": decode_metadata(row.metadata)})
            for row in connection.execute(query)
        ]


def errors_near(
    source: Source, components: Iterable[tuple[str, str]], ids: Collection[str], *, since: datetime, until: datetime
) -> list[EvidenceError]:
    """Return the newest errors of a period that happened in one of *components* (layer and name) or workflows."""
    columns = error_log.c
    names = sorted({component for _, component in components})
    query = (
        select(*columns_of(error_log, EvidenceError))
        .where(
            columns.timestamp >= since, columns.timestamp <= until,
            columns.component.in_(names) | columns.correlation_id.in_(sorted(ids)),
        )
        .order_by(columns.timestamp.desc())
        .limit(MOST_ERRORS)
    )  # fmt: skip
    with reading(source) as connection:
        return [EvidenceError(**row._asdict()) for row in connection.execute(query)]


def failed_workflows(source: Source, *, since: datetime, until: datetime, limit: int = 500) -> list[tuple[str, str]]:
    """Return correlation id and root operation of the newest workflows that failed in a period."""
    columns = workflow_session.c
    query = (
        select(columns.correlation_id, columns.root_operation)
        .where(columns.status == "failed", columns.start_time >= since, columns.start_time <= until)
        .order_by(columns.start_time.desc())
        .limit(limit)
    )
    with reading(source) as connection:
        return [(row.correlation_id, row.root_operation) for row in connection.execute(query)]


def releases_between(source: Source, *, since: datetime, until: datetime) -> list[SeenRelease]:
    """Return the versions that were first seen in a period, oldest first."""
    query = (
        select(*columns_of(release, SeenRelease))
        .where(release.c.first_seen >= since, release.c.first_seen <= until)
        .order_by(release.c.first_seen, release.c.service)
    )
    with reading(source) as connection:
        return [SeenRelease(**row._asdict()) for row in connection.execute(query)]


def releases_at_work(source: Source, *, since: datetime, until: datetime) -> list[SeenRelease]:
    """Return every version with workflows that began in a period, as the workflows themselves say."""
    columns = workflow_session.c
    query = (
        select(
            columns.service, columns.service_release, func.min(columns.start_time).label("first_seen"),
            func.max(columns.start_time).label("last_seen"),
        )
        .where(
            columns.start_time >= since, columns.start_time <= until,
            columns.service_release.is_not(None), columns.service_release != "",
        )
        .group_by(columns.service, columns.service_release)
    )  # fmt: skip
    with reading(source) as connection:
        return [SeenRelease(**row._asdict()) for row in connection.execute(query)]
