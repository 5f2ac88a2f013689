"""The machine of four states, driven by hand and by an injected clock, on real stores that go away and come back."""

import logging
import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from support.mariadb import MariaDBServer
from support.spans import RESOURCE, make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters import delivery
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.delivery import INTERNAL_ERROR, LONGEST_PAUSE_S, RETRY_TRIES, Delivery, State
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.row_assembly import NOT_AN_ERROR
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.queries.readiness import require_answer

from ..spool.batches import batch, put, spool_in
from .rows_by_hand import count, execute
from .test_delivery import Clock

HOUR_S = 3600
EVERY_S = 5


class Machine:
    """A delivery with a spool, its books and its clock."""

    def __init__(self, url: str, spools: Path, *, is_spool_first: bool = False) -> None:
        config = load_config({"connect_timeout_s": 1.0, "read_timeout_s": 1.0, "write_timeout_s": 1.0}, environ={})
        self.clock = Clock()
        self.ledger = Ledger()
        self.spool = spool_in(spools, self.ledger)
        self.numbers = iter(range(1, 1_000_000))
        self.delivery = Delivery(
            StoreConnection.of(url, config),
            make_mapper=lambda: mapper_of(config),
            ledger=self.ledger,
            auto_migrate=False,
            spool=self.spool,
            is_spool_first=is_spool_first,
            clock=self.clock,
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
        )

    def load(self, spans: int = 2) -> None:
        if self.delivery.may_load:
            self.ledger.emit(spans)
            self.delivery.load(
                [
                    (number, Kind.SPAN, make_span(span_id=number), 1, 0)
                    for number, _ in zip(self.numbers, range(spans), strict=False)
                ]
            )

    def advance(self, **how: bool) -> bool:
        went_on = self.delivery.advance(deadline=self.clock.now + 30, **how)
        assert self.ledger.read().is_balanced, self.ledger.read()
        return went_on

    def advance_until_idle(self) -> int:
        """Return in how many calls there was nothing left to do."""
        calls = 1
        while self.advance():
            calls += 1
        return calls

    def wait_for_attempt(self) -> float:
        """Move the clock to the next attempt; return by how much."""
        paused_s = self.delivery.next_attempt_at - self.clock.now
        self.clock.now = self.delivery.next_attempt_at
        return paused_s


@pytest.fixture
def away(engine: sa.Engine) -> None:
    """A store whose main table is gone, which no retry would change."""
    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()


def come_back(engine: sa.Engine) -> None:
    execute(engine, "ALTER TABLE away RENAME TO debugging_trace_step")
    engine.dispose()


def test_from_healthy_to_healthy(store_url: str, engine: sa.Engine, tmp_path: Path, away: None) -> None:
    machine = Machine(store_url, tmp_path)
    states = [machine.delivery.state]

    def note() -> None:
        if machine.delivery.state is not states[-1]:
            states.append(machine.delivery.state)

    for _ in range(5):
        machine.load()
        machine.advance_until_idle()
        note()
    come_back(engine)
    machine.wait_for_attempt()
    machine.advance()
    note()
    machine.load()
    while machine.advance():
        note()
    note()

    assert states == [State.HEALTHY, State.SPOOLING, State.RECOVERING, State.HEALTHY]
    assert (machine.ledger.read().stored, machine.ledger.read().spooled) == (12, 0)
    assert count(engine, "debugging_trace_step") == 12


def test_a_store_that_cannot_be_reached_is_retried_before_the_circuit_opens(tmp_path: Path) -> None:
    machine = Machine("mysql+pymysql://nobody@127.0.0.1:1/nothing", tmp_path)
    machine.load()
    pauses = []

    while not machine.advance():
        assert machine.delivery.state is State.RETRYING
        assert machine.delivery.is_holding
        pauses.append(machine.wait_for_attempt())

    assert pauses == [1.0, 2.0, 4.0][: len(pauses)]
    assert len(pauses) < RETRY_TRIES
    assert machine.delivery.state is State.SPOOLING
    assert machine.ledger.read().spooled == 2


def test_a_queue_that_fills_up_ends_the_retrying(tmp_path: Path) -> None:
    machine = Machine("mysql+pymysql://nobody@127.0.0.1:1/nothing", tmp_path)
    machine.load()
    machine.advance()

    machine.advance(is_pressed=True)

    assert machine.delivery.state is State.SPOOLING


def test_an_open_circuit_is_probed_once_in_a_growing_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("mysql+pymysql://nobody@127.0.0.1:1/nothing", tmp_path)
    machine.load()
    while machine.delivery.state is not State.SPOOLING:
        machine.advance()
        machine.wait_for_attempt()
    pauses = []

    for _ in range(8):
        machine.load()
        machine.advance()
        assert not machine.advance()
        pauses.append(machine.wait_for_attempt())

    assert pauses[-3:] == [LONGEST_PAUSE_S] * 3
    assert pauses == sorted(pauses)
    assert machine.ledger.read().spooled == 18
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == 1


def test_pauses_have_full_jitter(tmp_path: Path) -> None:
    draws: list[float] = []

    def draw() -> float:
        draws.append(random.random())
        return draws[-1]

    machine = Machine("mysql+pymysql://nobody@127.0.0.1:1/nothing", tmp_path)
    machine.delivery._jitter = draw
    machine.load()
    machine.advance()

    assert machine.delivery.next_attempt_at - machine.clock.now == pytest.approx(draws[-1] * 1.0)


def test_recovering_sends_a_frame_after_each_live_batch(
    store_url: str, engine: sa.Engine, tmp_path: Path, away: None
) -> None:
    machine = Machine(store_url, tmp_path)
    for _ in range(10):
        machine.load()
        machine.advance_until_idle()
    come_back(engine)
    machine.wait_for_attempt()
    assert machine.advance()
    assert machine.delivery.state is State.RECOVERING
    spooled = [machine.ledger.read().spooled]

    for _ in range(12):
        machine.load()
        machine.advance()
        spooled.append(machine.ledger.read().spooled)

    # 2 rows each: by turns a live batch, which leaves the spool alone, and a frame.
    assert spooled == [18, 18, 16, 16, 14, 14, 12, 12, 10, 10, 8, 8, 6]


def test_a_store_that_goes_away_while_it_recovers_costs_nothing(
    store_url: str, engine: sa.Engine, tmp_path: Path, away: None
) -> None:
    machine = Machine(store_url, tmp_path)
    for _ in range(6):
        machine.load()
        machine.advance_until_idle()
    come_back(engine)
    machine.wait_for_attempt()
    for _ in range(3):
        machine.advance()
    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()
    machine.load()
    machine.advance_until_idle()
    is_away = machine.delivery.is_store_away
    come_back(engine)
    machine.wait_for_attempt()

    machine.advance_until_idle()

    assert is_away
    assert machine.delivery.state is State.HEALTHY
    assert count(engine, "debugging_trace_step") == machine.ledger.read().stored == 14


@pytest.mark.parametrize("is_spool_first", [False, True])
def test_after_an_hour_without_a_store_every_row_is_there(
    is_spool_first: bool, store_url: str, engine: sa.Engine, tmp_path: Path, away: None
) -> None:
    machine = Machine(store_url, tmp_path, is_spool_first=is_spool_first)
    for _ in range(0, HOUR_S, EVERY_S):
        machine.clock.now += EVERY_S
        machine.load()
        machine.advance_until_idle()
    during, emitted = machine.ledger.read(), 2 * HOUR_S // EVERY_S
    come_back(engine)
    machine.wait_for_attempt()

    machine.advance_until_idle()

    assert during.spooled == during.emitted == emitted
    after = machine.ledger.read()
    assert (after.stored, after.spooled, dict(after.dropped)) == (emitted, 0, {})
    assert count(engine, "debugging_trace_step") == emitted
    with engine.connect() as connection:
        counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one()
    assert int(counted) == emitted


def test_a_server_killed_in_the_middle_of_a_replay_stores_nothing_twice(tmp_path: Path) -> None:
    server = MariaDBServer.create()
    try:
        url = server.create_database()
        engine = create_store_engine(url)
        migrate(engine)
        engine.dispose()
        machine = Machine(url, tmp_path)
        server.kill()
        for _ in range(30):
            machine.clock.now += 10
            machine.load(50)
            machine.advance_until_idle()
        for _ in range(3):
            server.start()
            machine.wait_for_attempt()
            for _ in range(7):
                machine.advance()
            server.kill()
            machine.advance()
        server.start()
        machine.wait_for_attempt()
        machine.advance_until_idle()

        reading = machine.ledger.read()
        assert (reading.spooled, dict(reading.dropped)) == (0, {})
        assert count(engine, "debugging_trace_step") == reading.stored + reading.already_there == reading.emitted
        engine.dispose()
    finally:
        server.remove()


def test_a_spool_that_fails_in_spool_first_holds_at_most_two_batches(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    machine = Machine("mysql+pymysql://nobody@127.0.0.1:1/nothing", tmp_path / "file", is_spool_first=True)
    machine.load()
    machine.load()
    machine.advance_until_idle()

    assert not machine.delivery.may_load
    assert machine.ledger.read().queued == machine.ledger.read().emitted == 2
    machine.delivery.give_up("shutdown")
    assert dict(machine.ledger.read().dropped) == {"shutdown": 2}
    assert machine.ledger.read().is_balanced


def test_rows_that_come_while_the_store_is_only_asked_are_replayed(
    store_url: str, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(store_url, tmp_path, is_spool_first=True)
    machine.delivery.state = State.SPOOLING  # and no row on disk to probe the store with

    def spool_meanwhile() -> bool:
        machine.load()
        return True

    def answer_late(asked: sa.Engine) -> None:
        assert machine.delivery.store_calls.do_meanwhile(spool_meanwhile)
        require_answer(asked)

    monkeypatch.setattr(delivery, "require_answer", answer_late)
    assert machine.advance()
    assert (machine.ledger.read().spooled, machine.ledger.read().stored) == (2, 0)
    machine.advance_until_idle()

    assert machine.delivery.state is State.HEALTHY
    assert machine.ledger.read().spooled == 0
    assert count(engine, "debugging_trace_step") == machine.ledger.read().stored == 2


def test_a_batch_that_turns_out_empty_says_nothing_of_the_store(
    store_url: str, engine: sa.Engine, tmp_path: Path, away: None, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that holds log records alone which tell of no error."""
    machine = Machine(store_url, tmp_path)
    machine.load()
    machine.advance_until_idle()
    assert machine.delivery.state is State.SPOOLING
    machine.ledger.emit(1)
    record = ReadableLogRecord(LogRecord(body="all is well"), RESOURCE)
    machine.delivery.load([(100, Kind.LOG, record, 1, 0)])

    machine.wait_for_attempt()
    machine.advance_until_idle()

    assert machine.delivery.state is State.SPOOLING
    assert "answers again" not in caplog.text
    assert machine.ledger.read().dropped == {NOT_AN_ERROR: 1}


def test_a_frame_that_nobody_can_store_costs_itself_alone(
    store_url: str, engine: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, and yet not what a writer expects. It was sent for ever, and each live batch beside it was dropped."""
    machine = Machine(store_url, tmp_path)
    steps = batch(1).steps
    odd = [steps[0]._replace(trace_id=None), steps[1]._replace(trace_id=7)]  # type: ignore[arg-type] # that is the point
    put(machine.spool, machine.ledger, RowBatch(steps=odd), batch(2))
    machine.delivery.state = State.RECOVERING

    for _ in range(4):
        machine.load()
        machine.advance_until_idle()

    reading = machine.ledger.read()
    assert (reading.spooled, dict(reading.dropped)) == (0, {INTERNAL_ERROR: 2})
    assert reading.stored == len(batch(2)) + 8
    assert count(engine, "debugging_trace_step") == len(batch(2).steps) + 8
    assert list(tmp_path.rglob("*.frames")) == []
