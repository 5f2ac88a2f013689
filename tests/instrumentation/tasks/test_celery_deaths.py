"""Tasks of Celery whose processes are killed from outside (SIGKILL), as they are stored; on each database."""

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from instrumentation.tasks.test_celery import (
    HERE,
    LIMIT_S,
    Step,
    environment,
    steps_of,
    stop,
    tree,
    wait_until,
    workflow,
)


def test_a_killed_process_is_told_of_once_ends_its_workflow_and_keeps_no_other_task_from_running(
    empty_store_url: str, tmp_path: Path
) -> None:
    environ = {**environment(tmp_path), "E2EDEBUG_DATABASE_URL": empty_store_url, "E2EDEBUG_WORKFLOW_TIMEOUT_S": "3"}
    subprocess.run([sys.executable, str(HERE / "celery_app.py"), "deaths"], env=environ, check=True, timeout=LIMIT_S)
    store = sa.create_engine(empty_store_url)
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", "2",
             "--without-gossip", "--loglevel", "warning"],
            env=environ, cwd=HERE, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(lambda: not is_over(store), worker, log)
    finally:
        stop(worker)
    steps = steps_of(store)
    statuses, errors = sessions_and_errors(store)
    store.dispose()

    lost = [step for step in steps if step.name.endswith(".lost")]
    assert sorted(step.name for step in lost) == [
        "shop.die.lost", "shop.die.lost", "shop.die_in_workflow.lost", "shop.die_once.lost",
    ]  # fmt: skip
    assert {(step.status, step.message.partition(":")[0]) for step in lost} == {("failed", "WorkerLostError")}
    assert sorted(errors) == [
        ("shop.die", "WorkerLostError"), ("shop.die", "WorkerLostError"), ("shop.die_in_workflow", "WorkerLostError"),
        ("shop.die_once", "WorkerLostError"),
    ]  # fmt: skip

    # The one that was under way in a workflow of its own ends by its time; nothing stays in progress.
    assert sorted(statuses) == [
        ("dying", "completed"), ("dying_once", "completed"), ("plain", "completed"), ("task", "failed"), ("task", "timeout"),
    ]  # fmt: skip

    # What Celery delivers again runs in the same workflow, below its ordering, beside the run that was lost.
    assert shape(steps, "dying_once") == (
        "  shop.die_once.publish\n    shop.die_once.lost [failed]\n    shop.die_once.run\n"
    )
    assert shape(steps, "plain") == "  shop.add.publish\n    shop.add.run\n"


def shape(steps: list[Step], workflow_type: str) -> str:
    """Return the tree of a workflow below its root."""
    return tree(workflow(steps, workflow_type)).partition("\n")[2]


def is_over(store: sa.Engine) -> bool:
    try:
        names = [step.name for step in steps_of(store)]
        statuses = [status for _, status in sessions_and_errors(store)[0]]
    except sa.exc.OperationalError:  # SQLite's writers take turns
        return False
    is_run = {"shop.die_once.run", "shop.add.run", "shop.die_in_workflow.lost"} <= {*names}
    return is_run and names.count("shop.die.lost") == 2 and "in_progress" not in statuses


def sessions_and_errors(store: sa.Engine) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return type and status of each workflow; component and type of each error that a task has."""
    with store.connect() as connection:
        sessions = connection.execute(sa.text("SELECT workflow_type, status FROM debugging_workflow_session")).all()
        # Beside these, billiard's own line about each of its processes, which belongs to no task.
        errors = connection.execute(
            sa.text("SELECT component, error_type FROM debugging_error_log WHERE component <> 'multiprocessing'")
        ).all()
    return [(row[0], row[1]) for row in sessions], [(row[0], row[1]) for row in errors]
