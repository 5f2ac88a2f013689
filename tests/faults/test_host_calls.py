"""What the host pays while a fault lasts, for those faults whose other tests have no host: rows come by hand there.

Nothing is asserted of the figures here: `support/fault_table.py` does it for every test of a fault.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import NamedTuple

import pymysql
import pytest
import sqlalchemy as sa
from exporters.writing.fault_proxy import FaultProxy
from exporters.writing.pipelines import assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import count, root, step
from support.fault_table import FaultRow
from support.mariadb import MariaDBServer
from support.spans import make_span
from support.waiting import wait_until

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine

SPANS = 480
SHORT = {"connect_timeout_s": 1.0, "read_timeout_s": 2.0, "write_timeout_s": 2.0}


class Target(NamedTuple):
    """What a fault happens to."""

    server: MariaDBServer
    url: str
    """Of the store, past the proxy."""
    proxy: FaultProxy


@contextmanager
def again_and_again(act: Callable[[], None]) -> Iterator[None]:
    """Call *act* every few milliseconds until the end of the block."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.01):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def globally(server: MariaDBServer, name: str, value: int) -> Iterator[None]:
    """Set a global variable of *server* for the block."""
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT @@global.{name}")
        (before,) = cursor.fetchone() or (0,)
        cursor.execute(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            cursor.execute(f"SET GLOBAL {name} = {before}")


@contextmanager
def frozen(at: Target) -> Iterator[None]:
    at.server.freeze()
    try:
        yield
    finally:
        at.server.thaw()


def cut(at: Target) -> AbstractContextManager[None]:
    return again_and_again(partial(setattr, at.proxy, "mode", "cut_mid_request"))


def reply_lost(at: Target) -> AbstractContextManager[None]:
    return again_and_again(partial(setattr, at.proxy, "mode", "drop_reply_after_commit"))


@contextmanager
def killing(at: Target, what: str) -> Iterator[None]:
    """Kill what runs on the store's database, again and again."""
    with at.server.root() as connection, connection.cursor() as cursor:

        def kill() -> None:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE db = %s AND info LIKE 'INSERT%%'",
                (sa.make_url(at.url).database,),
            )
            for (connection_id,) in cursor.fetchall():
                with suppress(pymysql.Error):  # it may have ended by itself
                    cursor.execute(f"KILL {what} {connection_id}")

        with again_and_again(kill):
            yield


def connections_killed(at: Target) -> AbstractContextManager[None]:
    return killing(at, "CONNECTION")


def queries_killed(at: Target) -> AbstractContextManager[None]:
    return killing(at, "QUERY")


@contextmanager
def crowded(at: Target) -> Iterator[None]:
    with globally(at.server, "max_connections", 10):
        crowd = [at.server.root() for _ in range(9)]
        try:
            yield
        finally:
            for connection in crowd:
                connection.close()


@contextmanager
def read_only(at: Target) -> Iterator[None]:
    with globally(at.server, "read_only", 1):
        yield


@contextmanager
def small_packets(at: Target) -> Iterator[None]:
    with globally(at.server, "max_allowed_packet", 65536):
        yield


@contextmanager
def other_writers(at: Target) -> Iterator[None]:
    """Four that change the same sessions."""
    stop = threading.Event()

    def write(worker: int) -> None:
        store = create_store_engine(at.url)
        writer = BatchWriter(store)
        turn = 0
        while not stop.is_set():
            turn += 1
            rows = [step(10_000 * worker + turn, trace=trace) for trace in range(1, 30)]
            writer.write(RowBatch(steps=rows), deadline=time.monotonic() + 60)
        store.dispose()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(1, 5)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def locked_session(at: Target) -> Iterator[None]:
    store = create_store_engine(at.url)
    BatchWriter(store).write(RowBatch(steps=[root(1)]), deadline=time.monotonic() + 60)
    with store.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM debugging_workflow_session FOR UPDATE")
        yield
    store.dispose()


@contextmanager
def waiting_ddl(at: Target) -> Iterator[None]:
    """A reader that idles in a transaction, behind it an ALTER TABLE, and behind that everybody else."""
    store = create_store_engine(at.url)
    reader = store.connect()
    reader.exec_driver_sql("SELECT COUNT(*) FROM debugging_trace_step")

    def alter() -> None:
        # Of an administrator's own: the store's engine has one connection, and gives a lock up after some seconds.
        with at.server.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {sa.make_url(at.url).database}")
            cursor.execute("ALTER TABLE debugging_trace_step ADD COLUMN of_a_later_revision INT NULL")

    def is_waiting() -> bool:
        with at.server.root() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist "
                "WHERE info LIKE 'ALTER%' AND state LIKE 'Waiting for table metadata lock%'"
            )
            return bool(cursor.fetchone() == (1,))

    ddl = threading.Thread(target=alter)
    ddl.start()
    try:
        wait_until(is_waiting)
        yield
    finally:
        reader.close()
        ddl.join()
        store.dispose()


@contextmanager
def without_a_table(at: Target) -> Iterator[None]:
    store = create_store_engine(at.url)
    with store.begin() as connection:
        connection.exec_driver_sql("RENAME TABLE debugging_trace_step TO elsewhere")
    try:
        yield
    finally:
        with store.begin() as connection:
            connection.exec_driver_sql("RENAME TABLE elsewhere TO debugging_trace_step")
        store.dispose()


FAULTS = {
    3: frozen, 5: cut, 6: reply_lost, 8: connections_killed, 9: crowded, 10: read_only, 11: other_writers,
    12: locked_session, 13: queries_killed, 30: small_packets, 37: waiting_ddl, 39: without_a_table,
}  # fmt: skip


def act_as_host(pipeline: Pipeline, numbers: range) -> None:
    for number in numbers:
        attributes = {f"k{key}": "v" * 200 for key in range(12)}
        pipeline.put_span(make_span(span_id=number, trace_id=1 + number % 29, attributes=attributes))
        time.sleep(0.002)


@pytest.mark.parametrize("number", [pytest.param(number, marks=pytest.mark.fault(number)) for number in FAULTS])
def test_the_host_goes_on_while_it_lasts(
    number: int, victim: MariaDBServer, victim_url: str, victim_engine: sa.Engine, fault_row: FaultRow
) -> None:
    with FaultProxy(sa.make_url(victim_url).port or 0) as proxy:
        through = sa.make_url(victim_url).set(port=proxy.port).render_as_string(hide_password=False)
        with pipeline_on(through, **SHORT) as pipeline:
            with FAULTS[number](Target(victim, victim_url, proxy)):
                act_as_host(pipeline, range(1, SPANS + 1))
                assert len([call for call in fault_row.calls if call.kind in ("span", "first span")]) == SPANS
                assert_balanced(pipeline)
            proxy.mode = "pass"

            assert pipeline.flush(90)
            assert sum(pipeline.stats()["dropped"].values()) == 0
            assert count(victim_engine, "debugging_trace_step", "operation = 'work'") == SPANS
            assert_balanced(pipeline)
