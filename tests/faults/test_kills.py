"""kill -9 of the application and of the database at random moments under load: nothing acknowledged is lost or doubled.

Acknowledged is a row whose COMMIT returned, or whose frame was written. `E2EDEBUG_TEST_KILL_ROUNDS` changes how often.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from exporters.writing.pipelines import assert_balanced, pipeline_on
from support.fault_table import FaultRow
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug_schema.engine import create_store_engine

from .test_processes import Program

ROUNDS = int(os.environ.get("E2EDEBUG_TEST_KILL_ROUNDS", "50"))
FAST = {"connect_timeout_s": 1.0, "read_timeout_s": 2.0, "write_timeout_s": 2.0}

COUNT_UP = """
    number = int(os.environ["TEST_FIRST"])
    while True:
        for _ in range(20):
            tracer.start_span(f"n{number}").end()
            number += 1
        books = pipeline.stats()
        # First in, first out: what no longer waits are the oldest.
        print(books["emitted"] - books["queued"], sum(books["dropped"].values()), flush=True)
        time.sleep(0.005)
    """


def stored_numbers(url: str) -> list[int]:
    """Return the numbers of the spans in the store, which must agree with what its sessions count."""
    engine = create_store_engine(url)
    try:
        with engine.connect() as connection:
            names = connection.execute(sa.text("SELECT operation FROM debugging_trace_step")).scalars().all()
            counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar()
        assert int(counted or 0) == len(names), "a transaction was stored by half, or twice"
        return [int(name[1:]) for name in names if name.startswith("n")]
    finally:
        engine.dispose()


def adopt_everything(url: str, spools: Path) -> int:
    """Let another process take over what is on disk; return how many rows of it were stored by that."""
    with pipeline_on(url, spool_dir=str(spools), **FAST) as heir:
        heir.put_span(make_span("heir", span_id=random.getrandbits(60)))
        deadline = time.monotonic() + 120
        while list(spools.rglob("*.frames")):
            assert time.monotonic() < deadline, heir.stats()
            time.sleep(0.02)
        assert_balanced(heir)
        return int(heir.stats()["adopted"]["stored"])


def kill_applications(rounds: int, server: MariaDBServer, url: str, folder: Path, row: FaultRow) -> None:
    """Kill a program again and again that writes to disk first; in every third round its database is killed before."""
    spools = folder / "spools"
    settings = {"spool_dir": str(spools), "durability": "spool-first", "flush_interval_s": 0.02, **FAST}
    choose = random.Random(rounds)
    for turn in range(rounds):
        first = turn * 1_000_000
        running = Program(COUNT_UP, url, folder, TEST_SETTINGS=json.dumps(settings), TEST_FIRST=str(first))
        running.line()
        is_database_killed = turn % 3 == 2
        if is_database_killed:
            time.sleep(choose.uniform(0.0, 0.3))
            server.kill()
        time.sleep(choose.uniform(0.0, 0.8))
        acknowledged, dropped = map(int, running.last_line().split())
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        if is_database_killed:
            server.start()
        adopt_everything(url, spools)

        found = [number - first for number in stored_numbers(url) if first <= number < first + 1_000_000]
        assert dropped == 0
        assert sorted(found)[:acknowledged] == list(range(acknowledged)), "an acknowledged row is lost"
        assert len(found) == len(set(found)), "a row is there twice"
        row.note(emitted=len(found), stored=len(found))


def kill_databases(rounds: int, server: MariaDBServer, url: str, folder: Path) -> None:
    """Kill the database again and again under a pipeline that goes on emitting."""
    choose = random.Random(rounds)
    emitted = 0
    with pipeline_on(url, spool_dir=str(folder / "spools"), flush_interval_s=0.02, **FAST) as pipeline:
        for _ in range(rounds):
            for is_up in (True, False):
                until = time.monotonic() + choose.uniform(0.05, 0.5)
                while time.monotonic() < until:
                    for _ in range(10):
                        pipeline.put_span(make_span(f"n{emitted}", span_id=emitted + 1))
                        emitted += 1
                    time.sleep(0.004)
                assert_balanced(pipeline)
                if is_up:
                    server.kill()
                else:
                    server.start()
        assert pipeline.flush(120)
        assert_balanced(pipeline)
        assert pipeline.stats()["dropped"] == {}

    assert sorted(stored_numbers(url)) == list(range(emitted))


@pytest.mark.fault(19)
def test_what_an_application_had_acknowledged_when_it_was_killed_is_stored_once(
    victim: MariaDBServer, victim_url: str, tmp_path: Path, fault_row: FaultRow
) -> None:
    kill_applications(3, victim, victim_url, tmp_path, fault_row)


@pytest.mark.fault(7)
def test_a_database_that_is_killed_under_load_has_every_row_once(
    victim: MariaDBServer, victim_url: str, tmp_path: Path
) -> None:
    kill_databases(2, victim, victim_url, tmp_path)


@pytest.mark.long
@pytest.mark.fault(19)
def test_fifty_kills_of_the_application_lose_no_acknowledged_row(
    victim: MariaDBServer, victim_url: str, tmp_path: Path, fault_row: FaultRow
) -> None:
    kill_applications(ROUNDS, victim, victim_url, tmp_path, fault_row)


@pytest.mark.long
@pytest.mark.fault(7)
def test_fifty_kills_of_the_database_lose_no_row(victim: MariaDBServer, victim_url: str, tmp_path: Path) -> None:
    kill_databases(ROUNDS, victim, victim_url, tmp_path)
