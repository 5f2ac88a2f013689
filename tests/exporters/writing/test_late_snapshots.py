"""Snapshots that arrive after their hour was summed up, out of a spool say, are counted; see retention/rollups.py."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.ledger import WriteResult
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.snapshots import merged_histograms
from e2edebug_schema.retention import rollups
from e2edebug_schema.retention.rollups import SETTLED_AFTER, roll_up_hours
from e2edebug_schema.rollup_tables import rollup_hour

from .rows_by_hand import snapshot, step

HOUR = datetime(2026, 9, 21, 14, tzinfo=UTC)
AFTER = HOUR + timedelta(hours=1, minutes=20)
UNUSED = 2**64
"""The number of a snapshot whose event key no test before has stored."""


def write(engine: sa.Engine, batch: RowBatch) -> WriteResult:
    return BatchWriter(engine).write(batch, deadline=time.monotonic() + 30)


def counted(engine: sa.Engine) -> int:
    return sum(one.count for one in merged_histograms(engine, since=HOUR, until=HOUR + timedelta(hours=1)))


@pytest.fixture
def summed_hour(engine: sa.Engine) -> None:
    """The hour of snapshot(), summed up with one row in it."""
    write(engine, RowBatch(snapshots=[snapshot(1)]))
    for now in (AFTER - SETTLED_AFTER, AFTER):
        roll_up_hours(engine, now)


@pytest.mark.usefixtures("summed_hour")
def test_a_late_snapshot_counts_before_and_after_the_next_roll_up(engine: sa.Engine) -> None:
    before = counted(engine)

    write(engine, RowBatch(snapshots=[snapshot(2)]))

    at_once = counted(engine)
    assert roll_up_hours(engine, AFTER) == 1
    assert (at_once, counted(engine)) == (2 * before, 2 * before)


@pytest.mark.usefixtures("summed_hour")
def test_a_late_snapshot_in_a_transaction_of_the_host_counts_too(engine: sa.Engine) -> None:
    before = counted(engine)

    with engine.begin() as connection:
        BatchWriter(engine).write_in(connection, RowBatch(snapshots=[snapshot(2)]))

    assert counted(engine) == 2 * before


@pytest.mark.usefixtures("summed_hour")
def test_a_second_delivery_changes_nothing(engine: sa.Engine) -> None:
    before = counted(engine)

    write(engine, RowBatch(snapshots=[snapshot(1)]))

    assert counted(engine) == before
    assert roll_up_hours(engine, AFTER) == 0


@pytest.mark.usefixtures("summed_hour")
def test_only_the_hours_of_the_batch_are_put_out_of_force(engine: sa.Engine) -> None:
    write(engine, RowBatch(steps=[step(1)], snapshots=[snapshot(2, timestamp="2026-09-21 13:59:59.999999")]))

    with engine.connect() as connection:
        stale = connection.execute(
            sa.select(rollup_hour.c.period_start).where(rollup_hour.c.version != rollup_hour.c.summed_version)
        )
        assert stale.scalars().all() == [HOUR - timedelta(hours=1)]


@pytest.fixture
def other_engine(engine: sa.Engine, store_url: str) -> Iterator[sa.Engine]:
    """Another process of the same server."""
    if engine.dialect.name == "sqlite":
        pytest.skip("a file has one writer at a time")
    other = create_store_engine(store_url)
    yield other
    other.dispose()


@pytest.mark.usefixtures("summed_hour")
def test_a_delivery_that_is_still_open_is_not_left_out_of_a_sum(
    engine: sa.Engine, other_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = counted(engine)
    write(engine, RowBatch(snapshots=[snapshot(2)]))
    storing, summed = threading.Event(), []
    store = rollups._store

    def stored(*arguments: Any) -> bool:
        storing.set()
        return store(*arguments)

    monkeypatch.setattr(rollups, "_store", stored)
    maker = threading.Thread(target=lambda: summed.append(roll_up_hours(engine, AFTER)))
    with other_engine.begin() as connection:
        BatchWriter(other_engine).write_in(connection, RowBatch(snapshots=[snapshot(3)]))
        maker.start()
        assert storing.wait(30)
    maker.join(30)

    assert summed == [0]
    assert counted(engine) == 3 * one
    assert roll_up_hours(engine, AFTER) == 1
    assert counted(engine) == 3 * one


def test_writers_of_an_hour_that_goes_on_do_not_wait_for_each_other(engine: sa.Engine, other_engine: sa.Engine) -> None:
    roll_up_hours(engine, HOUR)
    # The rows of a test before may be marked as deleted still, and an event key found among those locks its neighbours.
    one, two = snapshot(UNUSED), snapshot(UNUSED + 1)

    with other_engine.begin() as connection:
        BatchWriter(other_engine).write_in(connection, RowBatch(snapshots=[one]))
        with engine.begin() as second:
            second.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
            BatchWriter(engine).write_in(second, RowBatch(snapshots=[two]))

    assert counted(engine) > 0
