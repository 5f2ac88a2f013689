"""Jobs of RQ, queued here and run by a worker that forks for each, as they are stored."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.cache_servers import redis_server

HERE = Path(__file__).parent

PROGRAM = """
import sys, time
from datetime import timedelta
import redis, rq
from rq.cron import CronScheduler
from rq.scheduler import RQScheduler
import rq_job
from e2edebug import workflow, flush
connection = redis.Redis(port=int(sys.argv[1]))
queue = rq.Queue("mail", connection=connection)
with workflow("plain"):
    queue.enqueue(rq_job.add, 1, 2)
with workflow("failing"):
    queue.enqueue(rq_job.fail)
queue.enqueue(rq_job.add, 3, 4)
with workflow("many"):
    first = rq.Queue.prepare_data(rq_job.add, (1, 2), job_id="first")
    queue.enqueue_many([first, rq.Queue.prepare_data("rq_job.add", (3, 4), depends_on="first")])
with workflow("later"):
    queue.enqueue_in(timedelta(seconds=1), rq_job.add, 5, 6)
with workflow("retried"):
    queue.enqueue(rq_job.flaky, retry=rq.Retry(max=1, interval=1))
cron = CronScheduler(connection=connection)
cron.register(rq_job.tidy, "mail", interval=60)
with workflow("running"):
    cron.enqueue_jobs()
rq.Worker([queue], connection=connection).work(burst=True, logging_level="ERROR")
time.sleep(2)
scheduler = RQScheduler([queue], connection=connection)
scheduler.acquire_locks()
scheduler.enqueue_scheduled_jobs()
rq.Worker([queue], connection=connection).work(burst=True, logging_level="ERROR")
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, list[sa.Row[tuple[object, ...]]]]":
    """The stored steps, by the type of their workflow, parents before children."""
    folder = tmp_path_factory.mktemp("rq")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_"))}
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    with redis_server(folder) as port:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(port)], cwd=folder, timeout=120, capture_output=True, text=True, check=False,
            env={
                **inherited, "E2EDEBUG_DATABASE_URL": url, "E2EDEBUG_RAISE_ERRORS": "1", "PYTHONPATH": str(HERE),
                "E2EDEBUG_EXIT_TIMEOUT_S": "30",
            },
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    store = sa.create_engine(url)
    found: dict[str, list[sa.Row[tuple[object, ...]]]] = {}
    with store.connect() as connection:
        for row in connection.execute(
            sa.text(
                "SELECT session.workflow_type, step.* FROM debugging_trace_step step JOIN debugging_workflow_session session"
                " ON session.correlation_id = step.correlation_id ORDER BY step.start_time"
            )
        ):
            found.setdefault(row.workflow_type, []).append(row)
    store.dispose()
    return found


def test_a_job_runs_in_the_workflow_that_queued_it(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    root, ordered, run = rows["plain"]

    assert [(step.component, step.operation, step.kind) for step in (ordered, run)] == [
        ("rq_job.add", "publish", "producer"),
        ("rq_job.add", "run", "consumer"),
    ]
    assert (ordered.parent_span_id, run.parent_span_id) == (root.span_id, ordered.span_id)


def test_a_failing_job_has_its_exception(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    run = rows["failing"][-1]

    assert (run.status, run.status_message) == ("failed", "ValueError: the mail server is away")


def test_a_job_that_no_workflow_queued_is_one(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    assert [step.operation for step in rows["task"]] == ["publish", "run"]


def test_a_worker_that_asks_for_work_makes_no_workflows(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    assert set(rows) == {"plain", "failing", "task", "many", "later", "retried", "running", "periodic_task"}


def test_jobs_queued_together_run_in_the_workflow_also_those_that_wait_for_others(
    rows: "dict[str, list[sa.Row[tuple[object, ...]]]]",
) -> None:
    assert shape(rows["many"]) == "  add.publish\n    add.run\n  add.publish\n    add.run\n"


def test_a_job_for_later_runs_in_the_workflow(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    assert shape(rows["later"]) == "  add.publish\n    add.run\n"


def test_a_job_that_is_tried_again_goes_on_in_its_workflow(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    """RQ's worker schedules it anew, outside of any workflow."""
    assert shape(rows["retried"]) == "  flaky.publish\n    flaky.run [failed]\n    flaky.retry\n      flaky.run\n"


def test_a_job_of_rqs_cron_is_a_workflow_of_its_own(rows: "dict[str, list[sa.Row[tuple[object, ...]]]]") -> None:
    assert [(row.operation, row.parent_span_id is None) for row in rows["periodic_task"]] == [
        ("publish", True),
        ("run", False),
    ]
    assert len(rows["running"]) == 1


def shape(steps: "list[sa.Row[tuple[object, ...]]]") -> str:
    """Return the steps below the workflow's own as lines, children indented."""

    def below(parent: str, depth: int) -> str:
        lines = ""
        for step in steps:
            if step.parent_span_id == parent:
                status = "" if step.status == "completed" else f" [{step.status}]"
                name = step.component.removeprefix("rq_job.")
                lines += f"{'  ' * depth}{name}.{step.operation}{status}\n" + below(step.span_id, depth + 1)
        return lines

    return below(steps[0].span_id, 1)
