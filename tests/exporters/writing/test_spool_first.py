"""With spool-first a store that keeps the writing thread waiting keeps no row from the disk: kill -9 loses none of them."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import configuration_poll
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.spool_relief import SpoolRelief
from e2edebug_exporters.store_calls import StoreCalls
from e2edebug_schema.engine import create_store_engine

from .pipelines import NOWHERE, assert_balanced, pipeline_on
from .rows_by_hand import count
from .running_program import Program

RELIEF = "e2edebug-spool-relief"


@contextmanager
def spool_first(url: str, spools: Path, **settings: Any) -> Iterator[Pipeline]:
    """Give a pipeline that waits for longer than any test for a store that does not answer."""
    patience = {"connect_timeout_s": 100.0, "read_timeout_s": 100.0, "write_timeout_s": 100.0}
    with pipeline_on(url, **patience, spool_dir=str(spools), durability="spool-first", **settings) as pipeline:
        yield pipeline


def emit(pipeline: Pipeline, numbers: range) -> None:
    for number in numbers:
        pipeline.put_span(make_span(span_id=number))


def wait_until(is_reached: Callable[[], bool], pipeline: Pipeline) -> None:
    deadline = time.monotonic() + 60
    while not is_reached():
        assert time.monotonic() < deadline, pipeline.stats()
        time.sleep(0.01)


def wait_until_on_disk(pipeline: Pipeline) -> None:
    wait_until(lambda: pipeline.stats()["queued"] == 0, pipeline)


def has_spooled(pipeline: Pipeline, rows: int) -> bool:
    return bool(pipeline.stats()["spooled"] > rows)


def assert_stored_once(url: str, steps: int) -> None:
    engine = create_store_engine(url)
    try:
        with engine.connect() as connection:
            counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar()
        assert count(engine, "debugging_trace_step") == int(counted or 0) == steps
    finally:
        engine.dispose()


def test_rows_recorded_while_the_store_is_frozen_are_on_disk_and_not_bounded_by_the_queue(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    with spool_first(url, tmp_path, queue_max_items=1000) as pipeline:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(60)
        with server.frozen():
            for first in range(2, 4002, 400):
                emit(pipeline, range(first, first + 400))
                wait_until_on_disk(pipeline)
            waiting = pipeline.stats()
            assert_balanced(pipeline)
            assert not pipeline.flush(0.3)  # on disk, and not in the store
        assert pipeline.flush(60)
        assert_balanced(pipeline)
        back = pipeline.stats()

    assert (waiting["store_away"], waiting["spooled"], waiting["dropped"]) == (False, 4000, {})
    assert (back["spooled"], back["dropped"]) == (0, {})
    assert_stored_once(url, 4001)
    assert list(tmp_path.rglob("*.frames")) == []


def test_kill_9_during_a_freeze_loses_no_row_older_than_the_batch_being_formed(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    body = """
        emit("before", 1)
        assert pipeline.flush(60)
        print("ready", flush=True)
        while not os.path.exists("frozen"):
            time.sleep(0.01)
        for _ in range(20):
            emit("during", 100)
            time.sleep(0.05)
        deadline = time.monotonic() + 60
        while pipeline.stats()["queued"] and time.monotonic() < deadline:
            time.sleep(0.01)
        print(pipeline.stats()["spooled"], pipeline.stats()["store_away"], flush=True)
        time.sleep(600)
        """
    settings = {
        "connect_timeout_s": 100.0, "read_timeout_s": 100.0, "write_timeout_s": 100.0, "flush_interval_s": 0.1,
        "spool_dir": str(tmp_path / "spools"), "durability": "spool-first", "service_name": "shop",
    }  # fmt: skip
    running = Program(body, url, tmp_path, TEST_SETTINGS=json.dumps(settings))
    assert running.line() == "ready"
    with server.frozen():
        (tmp_path / "frozen").touch()
        found = running.line()
        assert running.end(signal.SIGKILL) == -signal.SIGKILL

    assert found == "2000 False"
    with pipeline_on(url, spool_dir=str(tmp_path / "spools"), service_name="shop") as heir:
        emit(heir, range(1, 2))
        wait_until(lambda: not list(tmp_path.rglob("*.frames")), heir)
        assert_balanced(heir)
    assert_stored_once(url, 2002)


def test_the_books_are_exact_at_every_moment_of_a_freeze_and_of_its_end(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    with spool_first(url, tmp_path, batch_max_items=50) as pipeline:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(60)
        stop = threading.Event()
        emitted = iter(range(2, 1_000_000))

        def host() -> None:
            while not stop.is_set():
                emit(pipeline, range(number := next(emitted), number + 1))
                time.sleep(0.0005)

        thread = threading.Thread(target=host)
        thread.start()
        try:
            for _ in range(3):
                with server.frozen():
                    before = pipeline.stats()["spooled"]
                    wait_until(partial(has_spooled, pipeline, before + 100), pipeline)
                until = time.monotonic() + 0.3
                while time.monotonic() < until:
                    assert_balanced(pipeline)
        finally:
            stop.set()
            thread.join()
        assert pipeline.flush(60)
        assert pipeline.stats()["dropped"] == {}
    assert_stored_once(url, next(emitted) - 1)


def test_an_exit_during_a_freeze_keeps_its_time_and_loses_nothing(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    with spool_first(url, tmp_path, exit_timeout_s=2.0) as pipeline:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(60)
        with server.frozen():
            emit(pipeline, range(2, 602))
            wait_until_on_disk(pipeline)
            emit(pipeline, range(602, 1002))
            begun = time.monotonic()
            pipeline.exit()
            took_s = time.monotonic() - begun
        reading = pipeline.ledger.read()

    assert took_s < 3.0
    assert reading.is_balanced
    assert (reading.queued, reading.dropped, reading.spooled + reading.stored) == (0, {}, reading.emitted)
    with pipeline_on(url, spool_dir=str(tmp_path)) as heir:
        emit(heir, range(1002, 1003))
        wait_until(lambda: not list(tmp_path.rglob("*.frames")), heir)
    assert_stored_once(url, 1002)
    assert RELIEF not in {thread.name for thread in threading.enumerate()}


def test_forks_during_a_freeze_leave_parent_and_children_their_own_rows(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    body = """
        import warnings
        warnings.simplefilter("ignore")
        emit("parent", 1)
        assert pipeline.flush(60)
        print("ready", flush=True)
        while not os.path.exists("frozen"):
            time.sleep(0.01)
        children = []
        for _ in range(10):
            emit("parent", 200)
            time.sleep(0.03)
            child = os.fork()
            if child == 0:
                emit("child", 5)
                books = pipeline.stats()
                is_own = books["emitted"] == 5 and books["pid"] == os.getpid()
                is_safe = pipeline.shutdown(20) and pipeline.stats()["spooled"] == 5
                os._exit(0 if is_own and is_safe and pipeline.ledger.read().is_balanced else 1)
            children.append(child)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        deadline = time.monotonic() + 60
        while pipeline.stats()["queued"] and time.monotonic() < deadline:
            time.sleep(0.01)
        books = pipeline.stats()  # a fork hands metrics over as well
        print(ends == [0] * 10, books["spooled"] >= 2000, books["queued"], books["dropped"], flush=True)
        while os.path.exists("frozen"):
            time.sleep(0.01)
        print(pipeline.flush(60), pipeline.ledger.read().is_balanced, flush=True)
        pipeline.shutdown(10)
        """
    settings = {
        "connect_timeout_s": 100.0, "read_timeout_s": 100.0, "write_timeout_s": 100.0, "flush_interval_s": 0.02,
        "spool_dir": str(tmp_path / "spools"), "durability": "spool-first", "service_name": "shop",
    }  # fmt: skip
    running = Program(body, url, tmp_path, TEST_SETTINGS=json.dumps(settings))
    assert running.line() == "ready"
    with server.frozen():
        (tmp_path / "frozen").touch()
        found = running.line()
    (tmp_path / "frozen").unlink()

    assert (found, running.line()) == ("True True 0 {}", "True True")
    with pipeline_on(url, spool_dir=str(tmp_path / "spools"), service_name="shop") as heir:
        emit(heir, range(1, 2))
        wait_until(lambda: not list(tmp_path.rglob("*.frames")), heir)
    assert_stored_once(url, 2001 + 50 + 1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_relief_that_died_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = StoreCalls()
    died, worked = threading.Event(), threading.Event()
    wait = StoreCalls.wait_for_long_one

    def fail(_: StoreCalls, _lasting_s: float) -> bool:
        died.set()
        raise SystemExit  # which ends a thread without a word

    monkeypatch.setattr(StoreCalls, "wait_for_long_one", fail)
    relief = SpoolRelief(calls, lambda: bool(worked.set()), interval_s=0.01)
    relief.start()
    assert died.wait(60)
    monkeypatch.setattr(StoreCalls, "wait_for_long_one", wait)

    with calls.inside():
        deadline = time.monotonic() + 60
        while not worked.is_set() and time.monotonic() < deadline:
            relief.start()  # as the writing thread does in each of its rounds
            time.sleep(0.01)
    calls.close()
    assert worked.is_set()


def test_rows_go_to_disk_while_a_chore_waits_for_the_store(store_url: str, tmp_path: Path) -> None:
    may_end = threading.Event()

    def chore() -> None:
        may_end.wait(60)

    with spool_first(store_url, tmp_path) as pipeline:
        pipeline.add_chore(chore)
        try:
            emit(pipeline, range(1, 2))
            wait_until(lambda: pipeline.stats()["stored"] == 1, pipeline)
            emit(pipeline, range(2, 12))
            wait_until(lambda: pipeline.stats()["spooled"] == 10, pipeline)
        finally:
            may_end.set()
        assert pipeline.flush(60)
        assert_balanced(pipeline)
    assert_stored_once(store_url, 11)


def test_rows_go_to_disk_while_the_configuration_is_waited_for(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration_poll, "INTERVAL_S", 0.1)
    engine = create_store_engine(url)
    with spool_first(url, tmp_path) as pipeline, engine.connect() as connection:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(60)
        connection.execute(sa.text("LOCK TABLES debugging_configuration WRITE"))
        emitted = iter(range(2, 100_000))
        while not pipeline.stats()["spooled"]:
            emit(pipeline, range(number := next(emitted), number + 1))
            time.sleep(0.05)
        assert not pipeline.stats()["store_away"]
        connection.execute(sa.text("UNLOCK TABLES"))
        assert pipeline.flush(60)
        assert_balanced(pipeline)
    engine.dispose()
    assert_stored_once(url, next(emitted) - 1)


def test_rows_go_to_disk_in_the_pause_before_a_batch_is_sent_again(tmp_path: Path) -> None:
    settings = {"spool_dir": str(tmp_path), "durability": "spool-first", "flush_interval_s": 0.05}
    pipeline = Pipeline(NOWHERE, load_config(settings, environ={}), jitter=lambda: 1000.0)
    try:
        emit(pipeline, range(1, 2))
        wait_until(lambda: pipeline.stats()["state"] == "retrying", pipeline)
        emit(pipeline, range(2, 12))
        wait_until(lambda: pipeline.stats()["spooled"] == 11, pipeline)
        assert pipeline.stats()["state"] == "retrying"
        assert_balanced(pipeline)
    finally:
        pipeline.shutdown(1.0)


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("durability", ["spool", "memory"])
def test_other_modes_have_one_thread_and_no_relief(durability: str, store_url: str, tmp_path: Path) -> None:
    with pipeline_on(store_url, spool_dir=str(tmp_path), durability=durability) as pipeline:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(60)
        assert RELIEF not in {thread.name for thread in threading.enumerate()}
