"""Retention from within the application: when it runs, in which process, and that nobody is in its way."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug.policy.config import Config
from e2edebug.runtime.retention_runner import RetentionRunner
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.lease import acquire_lease
from e2edebug_schema.rollup_tables import rollup_hour
from e2edebug_schema.tables import workflow_session


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runner(store_url: str, clock: Clock) -> Iterator[RetentionRunner]:
    runner = RetentionRunner(
        lambda: Config(retention_interval_s=3600), lambda config: create_store_engine(store_url), clock=clock,
        spread=lambda: 0.0,
    )  # fmt: skip
    yield runner
    runner.stop()
    runner.join(30)


@pytest.fixture
def old_session(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(days=50)
        connection.execute(workflow_session.insert(), {"correlation_id": "old", "start_time": old})


def sessions(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(workflow_session)).scalar_one())


@pytest.mark.usefixtures("old_session")
def test_it_runs_a_minute_after_the_start_and_then_each_interval(
    runner: RetentionRunner, engine: sa.Engine, clock: Clock
) -> None:
    found = []
    for seconds in (59, 1, 3599, 1):
        clock.now += seconds
        runner.run_if_due()
        runner.join(30)
        found.append(sessions(engine))
        if found == [1, 0]:
            with engine.begin() as connection:
                old = datetime.now(UTC) - timedelta(days=50)
                connection.execute(workflow_session.insert(), {"correlation_id": "again", "start_time": old})

    assert found == [1, 0, 1, 0]


def test_hours_are_summed_up_every_ten_minutes(
    runner: RetentionRunner, engine: sa.Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the whole runs; the first one is a whole one, which does it, too."""
    done: list[str] = []
    monkeypatch.setattr(runner, "run_once", lambda: done.append("whole run"))
    roll_up = runner.roll_up_once
    monkeypatch.setattr(runner, "roll_up_once", lambda: (roll_up(), done.append("roll-up"))[0])

    for seconds in (60, 599, 1, 600, 2400):
        clock.now += seconds
        runner.run_if_due()
        runner.join(30)

    assert done == ["whole run", "roll-up", "roll-up", "whole run"]
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(rollup_hour)).scalar_one() > 0


@pytest.mark.usefixtures("old_session")
def test_roll_ups_are_left_to_whoever_holds_the_lease(runner: RetentionRunner, engine: sa.Engine) -> None:
    acquire_lease(engine, "retention", holder="somebody else")

    runner.roll_up_once()

    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(rollup_hour)).scalar_one() == 0


@pytest.mark.usefixtures("old_session")
def test_whoever_does_not_hold_the_lease_does_nothing(runner: RetentionRunner, engine: sa.Engine) -> None:
    acquire_lease(engine, "retention", holder="somebody else")

    assert runner.run_once() is None
    assert sessions(engine) == 1


@pytest.mark.usefixtures("old_session")
def test_a_runner_that_is_stopped_begins_no_more(runner: RetentionRunner, engine: sa.Engine, clock: Clock) -> None:
    runner.stop()
    clock.now += 61

    runner.run_if_due()
    runner.join(30)

    assert sessions(engine) == 1


def test_a_store_that_is_away_is_tried_again_later_without_a_word_to_the_host(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    runner = RetentionRunner(
        lambda: Config(), lambda config: create_store_engine("sqlite:////nowhere/store.sqlite3"), clock=clock
    )
    clock.now += 100

    runner.run_if_due()
    runner.join(30)

    assert "old rows could not be cleared out: OperationalError" in caplog.text


@pytest.mark.usefixtures("old_session")
def test_the_pipelines_thread_asks_for_it(
    runner: RetentionRunner, store_url: str, engine: sa.Engine, clock: Clock
) -> None:
    asked = threading.Event()

    def chore() -> None:
        runner.run_if_due()
        asked.set()

    pipeline = Pipeline(store_url, Config(flush_interval_s=0.01))
    pipeline.add_chore(chore)
    clock.now += 61
    pipeline.flush(20)  # nobody has put anything: a flush begins the thread
    asked.wait(20)
    runner.join(30)
    pipeline.shutdown(10)

    assert sessions(engine) == 0


@pytest.mark.usefixtures("old_session")
def test_a_forked_child_begins_anew(runner: RetentionRunner, engine: sa.Engine, clock: Clock) -> None:
    clock.now += 61
    runner.run_if_due()
    runner.join(30)
    engine.dispose()
    reading, writing = os.pipe()

    child = os.fork()
    if child == 0:  # its clock stands where the parent's does: a minute until its first run
        runner.run_if_due()
        os.write(writing, b"started" if runner._thread is not None else b"at rest")
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 100) == b"at rest"


def test_a_fork_waits_for_a_transaction_on_a_file(tmp_path: Any) -> None:
    from e2edebug.runtime.retention_runner import hold_forks_back
    from e2edebug_exporters.fork_gate import ForkGate

    gate = ForkGate()
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    hold_forks_back(engine, gate)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        during = gate.close(wait_s=0.01)
        gate.open()
    after = gate.close(wait_s=1)
    gate.open()
    engine.dispose()

    assert (during, after) == (False, True)
