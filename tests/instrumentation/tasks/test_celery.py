"""Tasks of Celery, queued in one process and run by a prefork worker in others, as they are stored."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

HERE = Path(__file__).parent
LIMIT_S = 60.0

STEPS = (
    "SELECT step.*, session.workflow_type FROM debugging_trace_step step"
    " JOIN debugging_workflow_session session ON session.correlation_id = step.correlation_id ORDER BY step.start_time"
)


@dataclass
class Step:
    """One stored step."""

    name: str
    """component.operation"""
    kind: str
    status: str
    message: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    correlation_id: str
    workflow_type: str
    metadata: str


def steps_of(engine: sa.Engine) -> list[Step]:
    with engine.connect() as connection:
        return [
            Step(
                f"{row.component}.{row.operation}", row.kind, row.status, row.status_message, row.trace_id, row.span_id,
                row.parent_span_id, row.correlation_id, row.workflow_type, row.metadata,
            )
            for row in connection.execute(sa.text(STEPS))
        ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_"))}
    return {
        **inherited,
        "CELERY_TEST_FOLDER": str(folder),
        "E2EDEBUG_DATABASE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        "E2EDEBUG_RAISE_ERRORS": "1",
        "E2EDEBUG_EXIT_TIMEOUT_S": "30",
        "OTEL_SERVICE_NAME": "shop",
        "PYTHONPATH": str(HERE),
    }


def wait_until(missing: Callable[[], object], process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until nothing is missing."""
    deadline = time.monotonic() + LIMIT_S
    while still := missing():
        assert process.poll() is None, f"missing: {still}\n{log.read_text()}"
        assert time.monotonic() < deadline, f"missing: {still}\n{log.read_text()}"
        time.sleep(0.1)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("celery")


@pytest.fixture(scope="module")
def steps(folder: Path) -> Iterator[list[Step]]:
    """What is stored after each kind of task was queued and has run, in worker processes that live for one task."""
    environ = environment(folder)
    subprocess.run([sys.executable, str(HERE / "celery_app.py")], env=environ, check=True, timeout=LIMIT_S)
    store = sa.create_engine(environ["E2EDEBUG_DATABASE_URL"])
    log = folder / "worker.log"
    options = ["--pool", "prefork", "--concurrency", "2", "--max-tasks-per-child", "1", "--without-gossip"]
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", *options, "--loglevel", "warning"],
            env=environ, cwd=HERE, stdout=output, stderr=output,
        )  # fmt: skip
    expected = {
        "shop.double.run": 2,
        "shop.add.run": 7,
        "shop.total.run": 1,
        "shop.fail.run": 1,
        "shop.flaky.retry": 4,
        "shop.hang.lost": 1,
    }

    def missing() -> Counter[str]:
        return Counter(expected) - Counter(step.name for step in steps_of(store))

    try:
        wait_until(missing, worker, log)
    finally:
        stop(worker)
    yield steps_of(store)
    store.dispose()


def workflow(steps: list[Step], workflow_type: str) -> list[Step]:
    return [step for step in steps if step.workflow_type == workflow_type]


def tree(steps: list[Step], parent: str | None = None, depth: int = 0) -> str:
    """Return the steps as lines, children indented."""
    lines = ""
    for step in steps:
        if step.parent_span_id == parent:
            status = "" if step.status == "completed" else f" [{step.status}]"
            lines += f"{'  ' * depth}{step.name}{status}\n" + tree(steps, step.span_id, depth + 1)
    return lines


def test_a_task_runs_in_the_workflow_that_queued_it(steps: list[Step]) -> None:
    of_workflow = workflow(steps, "plain")

    assert tree(of_workflow) == "workflow.plain\n  shop.add.publish\n    shop.add.run\n".replace(
        "workflow.plain", of_workflow[0].name
    )
    assert len({step.correlation_id for step in of_workflow}) == 1
    assert [step.kind for step in of_workflow] == ["internal", "producer", "consumer"]


def test_a_chain_goes_on_below_the_task_before(steps: list[Step]) -> None:
    told = tree(workflow(steps, "chained")).partition("\n")[2]

    assert told == "  shop.add.publish\n    shop.add.run\n      shop.double.publish\n        shop.double.run\n"


def test_the_tasks_of_a_group_run_side_by_side_in_its_workflow(steps: list[Step]) -> None:
    told = tree(workflow(steps, "grouped")).partition("\n")[2]

    assert told == "  shop.add.publish\n    shop.add.run\n" * 2


def test_a_chord_and_what_comes_after_it_are_one_workflow(steps: list[Step]) -> None:
    """A result back end of files asks by a task of Celery's own, again and again, whether the group is done."""
    of_workflow = workflow(steps, "chorded")
    members = [step for step in of_workflow if not step.name.startswith(("celery.", "shop.total"))]
    by_span = {step.span_id: step for step in of_workflow}

    assert tree(members).partition("\n")[2] == "  shop.add.publish\n    shop.add.run\n" * 2
    (total,) = [step for step in of_workflow if step.name == "shop.total.run"]
    ancestors = []
    at: Step | None = total
    while at is not None:
        ancestors.append(at.name)
        at = by_span.get(at.parent_span_id or "")
    assert ancestors[1] == "shop.total.publish"
    assert {name.partition(".")[0] for name in ancestors[2:-1]} == {"celery"}
    assert ancestors[-1].endswith("chorded")
    assert len({step.trace_id for step in of_workflow}) == 1


def test_a_failing_task_has_its_exception_once(steps: list[Step], folder: Path) -> None:
    (run,) = [step for step in steps if step.name == "shop.fail.run"]

    assert (run.status, run.message) == ("failed", "ValueError: the mail server is away")
    with sa.create_engine(f"sqlite:///{folder / 'store.sqlite3'}").connect() as connection:
        errors = connection.execute(
            sa.text("SELECT component, error_type, stack_trace FROM debugging_error_log WHERE correlation_id = :id"),
            {"id": run.correlation_id},
        ).all()
    assert [(error.component, error.error_type) for error in errors] == [("shop.fail", "ValueError")]
    assert "celery_app.py" in errors[0].stack_trace


def test_each_attempt_is_a_step_below_the_one_before_and_no_failure(steps: list[Step]) -> None:
    told = tree(workflow(steps, "retried")).partition("\n")[2]

    assert told == (
        "  shop.flaky.publish\n    shop.flaky.run\n      shop.flaky.retry\n        shop.flaky.retry\n"
        "          shop.flaky.retry\n            shop.flaky.retry\n"
    )
    first = next(step for step in steps if step.name == "shop.flaky.run")
    assert "not yet" in first.metadata


def test_a_task_that_is_killed_for_its_time_says_so(steps: list[Step]) -> None:
    (run,) = [step for step in steps if step.name == "shop.hang.lost"]

    assert (run.status, run.message) == ("failed", "TimeLimitExceeded: the task was stopped after 1 s")
    assert run.parent_span_id in {step.span_id for step in workflow(steps, "killed")}


def test_a_task_sent_by_name_belongs_to_its_workflow_and_leaves_nothing_behind(steps: list[Step]) -> None:
    """OpenTelemetry's own instrumentor leaves its span current when it does not know the task."""
    told = tree(workflow(steps, "by_name")).partition("\n")[2]

    assert told == "  shop.double.publish\n    shop.double.run\n"


def test_a_task_that_no_workflow_queued_is_one(steps: list[Step]) -> None:
    assert tree(workflow(steps, "task")) == "shop.add.publish\n  shop.add.run\n"


def test_a_periodic_task_is_a_workflow_of_its_own_each_time(folder: Path) -> None:
    environ = environment(folder)
    store = sa.create_engine(environ["E2EDEBUG_DATABASE_URL"])
    log = folder / "beat.log"
    with log.open("wb") as output:
        beat = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "beat", "--max-interval", "1", "--pidfile="],
            env=environ, cwd=HERE, stdout=output, stderr=output,
        )  # fmt: skip

    def ordered() -> list[Step]:
        return [step for step in steps_of(store) if step.name == "shop.tidy.publish"]

    try:
        wait_until(lambda: 2 - len(ordered()[:2]), beat, log)
    finally:
        stop(beat)
    found = ordered()
    store.dispose()
    assert {step.workflow_type for step in found} == {"periodic_task"}
    assert len({step.correlation_id for step in found}) == len(found)
    assert {step.parent_span_id for step in found} == {None}


def test_when_the_broker_cannot_be_reached_the_publishing_fails_and_nothing_stays_current(tmp_path: Path) -> None:
    code = """
import celery
from instrumentation.database.recorded_spans import Recording
from opentelemetry import trace
from e2edebug_instrumentation.tasks.celery_tasks import CeleryInstrumentor
recording = Recording(is_global=True)
CeleryInstrumentor().instrument()
app = celery.Celery("x", broker="redis://127.0.0.1:1/0")
app.conf.update(broker_connection_timeout=0.2, task_publish_retry=False)
try:
    app.send_task("unknown")
except Exception as error:
    print(type(error).__name__)
print(trace.get_current_span().get_span_context().is_valid)
(span,) = recording.take()
print(span["name"], span["status"], len(span["events"]))
CeleryInstrumentor().uninstrument()
try:
    app.send_task("unknown")
except Exception:
    pass
print(recording.take(), celery.Celery.send_task)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )  # fmt: skip

    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[1:3] == ["False", "publish unknown ERROR 1"]
    assert lines[3].startswith("[] <function Celery.send_task")
