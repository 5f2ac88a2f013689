"""The store's queries and the writer's statements on the connection that Django has."""

from collections.abc import Callable

import pytest
from django_app.project import Project

ROW = """
from datetime import UTC, datetime
from e2edebug.django.models import TraceStep, WorkflowSession
from e2edebug.django.store_engine import store_for_reading, store_for_writing
from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.rows import RowBatch, SharedColumns, StepRow
from e2edebug_schema.queries.session_statistics import workflow_counts
from e2edebug_schema.queries.sessions import find_session

STARTED = SharedColumns("api", "View", "list", "server", "shop", "started", "", None, None, None)
COMPLETED = STARTED._replace(status="completed")
STEP = StepRow("c-1", "1" * 32, "2" * 16, None, STARTED, "2026-11-25 10:00:00.000000", None, None, "{}")

def write(*rows):
    with store_for_writing() as connection:
        return BatchWriter(connection.engine).write_in(connection, RowBatch(steps=list(rows)))
"""


@pytest.fixture
def run(make_project: Callable[..., Project], store_url: str) -> Callable[[str], object]:
    """Return what a program prints in a project whose store is one of the two dialects."""
    project = make_project()
    return lambda source: project.python(ROW + source, environ={"E2EDEBUG_DATABASE_URL": store_url})


def test_rows_that_are_written_are_read_by_models_and_queries_alike(run: Callable[[str], object]) -> None:
    shown = run("""
write(STEP)
again = write(STEP)
ended = write(STEP._replace(shared=COMPLETED, end_time="2026-11-25 10:00:00.250000", duration_ms=250.0))
with store_for_reading() as connection:
    session = find_session(connection, "c-1")
    [counts] = workflow_counts(connection, since=datetime(2026, 11, 25, tzinfo=UTC), until=datetime.now(UTC))
step = TraceStep.objects.get()
print(json.dumps([again.already_there, ended.stored, step.duration_ms, step.start_time.isoformat(), session.step_count,
                  session.start_time.isoformat(), counts.count, counts.durations.maximum]))
""")

    start = "2026-11-25T10:00:00+00:00"
    assert shown == [1, 1, 250.0, start, 1, start, 1, 250.0]


def test_what_django_rolls_back_is_gone_and_what_was_before_stays(run: Callable[[str], object]) -> None:
    """A test case rolls its database back; an endpoint that fails leaves nothing behind."""
    shown = run("""
from django.db import transaction
from e2edebug.django.store_alias import alias_of_store
write(STEP)
try:
    with transaction.atomic(using=alias_of_store()):
        write(STEP._replace(correlation_id="c-2", span_id="3" * 16))
        with store_for_reading() as connection:
            inside = find_session(connection, "c-2") is not None
        raise KeyError
except KeyError:
    pass
try:
    with store_for_writing() as connection:
        BatchWriter(connection.engine).write_in(connection, RowBatch(steps=[STEP._replace(span_id="4" * 16)]))
        raise KeyError
except KeyError:
    pass
print(json.dumps([inside, list(WorkflowSession.objects.values_list("correlation_id", "step_count"))]))
""")

    assert shown == [True, [["c-1", 1]]]
