"""A store that is away: one attempt now and then, the batch kept, the reason said once."""

import logging

import pytest
import sqlalchemy as sa
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters.batch_writer import MAX_TRIES, BatchWriter, StoreUnavailable
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.delivery import LONGEST_PAUSE_S, Delivery
from e2edebug_exporters.error_classes import ErrorClass
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.store_connection import StoreConnection

from .pipelines import NOWHERE
from .rows_by_hand import step


class Clock:
    """A clock that moves when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def delivery_to(url: str, clock: Clock, ledger: Ledger) -> Delivery:
    config = load_config(environ={})
    return Delivery(
        StoreConnection.of(url, config),
        make_mapper=lambda: mapper_of(config),
        ledger=ledger,
        auto_migrate=True,
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )


def test_pauses_double_up_to_a_minute_and_the_outage_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, ledger = Clock(), Ledger()
    delivery = delivery_to(NOWHERE, clock, ledger)
    ledger.emit()
    delivery.load([(1, Kind.SPAN, make_span(), 1, 0)])
    pauses = []

    for _ in range(9):
        assert not delivery.advance(deadline=clock.now + 30)
        pauses.append(delivery.next_attempt_at - clock.now)
        clock.now = delivery.next_attempt_at

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert len([record for record in caplog.records if "takes no rows" in record.message]) == 1
    assert ledger.read().queued == 1
    assert ledger.read().is_balanced


def test_a_server_that_times_out_again_and_again_gets_smaller_transactions(store_url: str) -> None:
    clock, ledger = Clock(), Ledger()
    delivery = delivery_to(store_url, clock, ledger)
    ledger.emit(100)
    delivery.load([(number, Kind.SPAN, make_span(span_id=number), 1, 0) for number in range(1, 101)])

    for _ in range(4):
        delivery._note_failure(StoreUnavailable("timed out", ErrorClass.RECONNECT), clock.now)
    clock.now = delivery.next_attempt_at

    assert delivery._pieces == 8
    assert delivery.advance(deadline=clock.now + 30)
    assert (delivery._pieces, ledger.read().stored) == (1, 100)


def test_a_batch_given_up_is_counted_under_its_reason() -> None:
    clock, ledger = Clock(), Ledger()
    delivery = delivery_to(NOWHERE, clock, ledger)
    ledger.emit(2)
    delivery.load([(number, Kind.SPAN, make_span(span_id=number), 1, 0) for number in (1, 2)])
    delivery.advance(deadline=clock.now + 30)

    delivery.abandon("shutdown")

    assert dict(ledger.read().dropped) == {"shutdown": 2}
    assert ledger.read().is_balanced


def test_the_return_of_the_store_is_logged(caplog: pytest.LogCaptureFixture, store_url: str) -> None:
    clock, ledger = Clock(), Ledger()
    delivery = delivery_to(store_url, clock, ledger)
    ledger.emit()
    delivery.load([(1, Kind.SPAN, make_span(), 1, 0)])
    caplog.set_level(logging.WARNING)
    delivery._note_failure(StoreUnavailable("gone", ErrorClass.RECONNECT), clock.now)
    clock.now = delivery.next_attempt_at

    assert delivery.advance(deadline=clock.now + 30)
    assert any("answers again" in record.message for record in caplog.records)


def test_tries_are_bounded_and_each_is_counted(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    import pymysql

    clock, ledger = Clock(), Ledger()
    writer = BatchWriter(engine, ledger=ledger, clock=clock, sleep=clock.sleep, jitter=lambda: 0.5)

    def deadlock(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("", None, pymysql.err.OperationalError(1213, "Deadlock found"))

    monkeypatch.setattr(writer, "_transact", deadlock)
    with pytest.raises(StoreUnavailable) as caught:
        writer.write(RowBatch(steps=[step(1), step(2)]), deadline=clock.now + 30)

    assert clock.pauses == [0.02, 0.04, 0.08, 0.16]
    assert ledger.read().retried == MAX_TRIES - 1
    assert len(caught.value.remaining) == 2


def test_no_try_begins_after_the_deadline(engine: sa.Engine) -> None:
    clock = Clock()
    writer = BatchWriter(engine, clock=clock, sleep=clock.sleep)

    with pytest.raises(StoreUnavailable):
        writer.write(RowBatch(steps=[step(1)]), deadline=clock.now)
