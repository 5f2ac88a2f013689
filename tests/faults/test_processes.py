"""Processes that write the same file, and processes that are killed without a word."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from exporters.writing.rows_by_hand import count
from exporters.writing.running_program import Program
from exporters.writing.test_forks_and_exits import environment_of, get, gunicorn, program, stored
from support.fault_table import FaultRow

STEPS = "debugging_trace_step"


@pytest.mark.fault(17)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_four_processes_write_one_sqlite_file_and_meet_no_lock(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    body = """
        for number in range(150):
            emit("work", 10)
            time.sleep(0.005)
        assert pipeline.flush(100)
        books = pipeline.stats()
        assert pipeline.ledger.read().is_balanced
        assert not books["dropped"], books
        assert not books["retried"], books
        """
    script = str(program(body, tmp_path))
    environment = environment_of(store_url) | {"TEST_INTERVAL_S": "0.02"}
    writers = [
        subprocess.Popen([sys.executable, script], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    endings = [writer.communicate(timeout=180)[1] for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * 4, endings
    assert stored(engine) == {"work": 6000}
    fault_row.note(emitted=6000, stored=count(engine, STEPS))


EMIT_STEADILY = """
    emitted = 0
    while True:
        emit("work", 10)
        emitted += 10
        print(emitted, pipeline.stats()["stored"], flush=True)
        time.sleep(0.01)
    """


def kill_under_load(url: str, engine: sa.Engine, folder: Path, row: FaultRow, *, after_lines: int) -> None:
    """Kill a program while it emits: no row that it knew to be stored is lost, and no more than waited in its queue."""
    before = count(engine, STEPS)
    running = Program(EMIT_STEADILY, url, folder, TEST_INTERVAL_S="0.05")
    for _ in range(after_lines):
        running.line()
    emitted, acknowledged = map(int, running.last_line().split())
    assert running.end(signal.SIGKILL) == -signal.SIGKILL

    found = count(engine, STEPS) - before
    with engine.connect() as connection:
        doubled = connection.execute(
            sa.text(
                f"SELECT COUNT(*) FROM (SELECT 1 FROM {STEPS} GROUP BY trace_id, span_id HAVING COUNT(*) > 1) twice"
            )
        ).scalar_one()
        counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar()
    # Between its last line and its end it may have emitted some more.
    assert acknowledged <= found
    assert doubled == 0
    assert int(counted or 0) == before + found, "a transaction was stored by half"
    lost = max(0, emitted - found)
    row.note(emitted=found + lost, stored=found, killed=lost)


@pytest.mark.fault(19)
def test_what_a_killed_application_knew_to_be_stored_is_stored_once(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    kill_under_load(store_url, engine, tmp_path, fault_row, after_lines=60)


@pytest.mark.long
@pytest.mark.fault(19)
def test_fifty_kills_at_random_moments_lose_nothing_that_was_stored(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    for moment in range(25):  # on each dialect
        kill_under_load(store_url, engine, tmp_path, fault_row, after_lines=5 + 7 * moment % 40)


@pytest.mark.fault(20)
def test_sigterm_without_a_handler_loses_no_more_than_the_last_interval(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """Installing a handler is the host's affair; the README says what that costs."""
    body = """
        emit("long ago", 100)
        while pipeline.stats()["stored"] < 100:
            time.sleep(0.01)
        emit("just now", 10)
        print("ready", flush=True)
        time.sleep(100)
        """
    running = Program(body, store_url, tmp_path, TEST_INTERVAL_S="0.5")
    assert running.line() == "ready"

    assert running.end(signal.SIGTERM) == -signal.SIGTERM

    found = stored(engine)
    assert found["long ago"] == 100
    assert found["just now"] in (0, 10)
    fault_row.note(emitted=110, stored=sum(found.values()), terminated=10 - found["just now"])


@pytest.mark.long
@pytest.mark.fault(21)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_gunicorn_worker_that_hangs_is_ended_and_its_spans_are_stored(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """The arbiter ends it with SIGABRT, on which a worker exits in the usual way."""
    hang = """
def hanging(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        emit("hanging", 1)
        time.sleep(100)
    return application(environ, start_response)
"""
    with gunicorn(store_url, tmp_path, "--timeout", "3", extra=hang, application="hanging") as (process, port):
        for _ in range(5):
            get(port)
        with pytest.raises(OSError, match=r"."):
            get(port, path="/hang", within_s=0.0)
        deadline = time.monotonic() + 60
        while stored(engine)["hanging"] == 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait(120)

    assert stored(engine) == {"request": 5, "hanging": 1}, (tmp_path / "gunicorn.log").read_text()
    fault_row.note(emitted=6, stored=6)
