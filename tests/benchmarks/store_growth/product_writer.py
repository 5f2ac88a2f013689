"""Traffic stored as the product stores it: batches of 512 steps, with sessions, errors, groups and metrics."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.rows import ErrorRow, RowBatch, SessionFacts, SnapshotRow, StepRow
from e2edebug_schema.sample_sessions import (
    ERROR_FIELDS,
    SESSION_FIELDS,
    STEP_FIELDS,
    SampleSession,
    sample_sessions,
)
from e2edebug_schema.sample_snapshots import SampleSnapshots

BATCH_STEPS = 512
DEADLINE_S = 60.0


@dataclass(slots=True)
class WrittenBatches:
    """How many steps a second each batch came to."""

    rates: list[float] = field(default_factory=list)


def write_sessions(engine: Engine, count: int, *, first: datetime, last: datetime, seed: int) -> WrittenBatches:
    """Store so many sessions of the time from *first* to *last*, and return how fast each batch was.

    The clock runs while the writer works, not while traffic is made up.
    """
    writer, written = BatchWriter(engine), WrittenBatches()
    metrics = SampleSnapshots(until=last, name=f"writer {seed}")
    for batch in _batches(sample_sessions(count, first=first, last=last, seed=seed), metrics):
        began_s = time.perf_counter()
        result = writer.write(batch, deadline=time.monotonic() + DEADLINE_S)
        took_s = time.perf_counter() - began_s
        if result.stored != len(batch):
            raise RuntimeError(f"of {len(batch)} rows {result.stored} were stored: {result.last_error}")
        if batch.steps:
            written.rates.append(len(batch.steps) / took_s)
    return written


def _batches(sessions: Iterable[SampleSession], metrics: SampleSnapshots) -> Iterator[RowBatch]:
    batch = RowBatch()
    for session in sessions:
        batch.steps += _steps(session)
        batch.errors += [_error(error) for error in session.errors]
        batch.snapshots += [SnapshotRow._make(row) for row in metrics.finished_before([session])]
        if len(batch.steps) >= BATCH_STEPS:
            yield batch
            batch = RowBatch()
    batch.snapshots += [SnapshotRow._make(row) for row in metrics.rest()]
    yield batch


def _steps(session: SampleSession) -> Iterator[StepRow]:
    of = dict(zip(SESSION_FIELDS, session.session, strict=True))
    facts = SessionFacts(
        is_root=True, status=of["status"], is_explicit=False, workflow_type=of["workflow_type"], user_id=of["user_id"],
        user_label=of["user_label"], root_operation=of["root_operation"], service_release=of["service_release"],
    )  # fmt: skip
    root, *others = session.steps
    # Children end, and are exported, before their request.
    yield from (StepRow.of(dict(zip(STEP_FIELDS, step, strict=True))) for step in others)
    yield StepRow.of(dict(zip(STEP_FIELDS, root, strict=True)))._replace(session_facts=facts)


def _error(error: tuple[object, ...]) -> ErrorRow:
    values: dict[str, object] = dict.fromkeys(ErrorRow._fields) | dict(zip(ERROR_FIELDS, error, strict=True))
    values |= {"fingerprint_version": 1, "group_title": f"{values['error_type']}: {values['error_message']}"[:255]}
    return ErrorRow(**values)  # type: ignore[arg-type] # the fields' own names, from a table of names
