"""A real server that is frozen, killed, read-only, locked or crowded: the host does not notice, and nothing is lost."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.error_classes import ErrorClass
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

from .fault_proxy import FaultProxy
from .pipelines import assert_balanced, pipeline_on
from .rows_by_hand import count, error, root, session, step

FAST = {"connect_timeout_s": 0.5, "read_timeout_s": 0.5, "write_timeout_s": 0.5}


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = create_store_engine(url)
    yield engine
    engine.dispose()


def slowest_put_s(put: Callable[[int], None], times: int = 200) -> float:
    """Return the time that the slowest but one of *times* calls took; one may meet the garbage collector."""
    taken: list[float] = []
    for number in range(times):
        begin = time.perf_counter()
        put(number)
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[-2]


@pytest.mark.fault(2)
def test_a_frozen_server_costs_the_host_nothing_and_loses_nothing(
    server: MariaDBServer, url: str, engine: sa.Engine
) -> None:
    with pipeline_on(url, **FAST) as pipeline:
        pipeline.put_span(make_span(span_id=10_000))
        assert pipeline.flush(20)
        server.freeze()
        try:
            slowest_s = slowest_put_s(lambda number: pipeline.put_span(make_span(span_id=number + 1)))
            begin = time.monotonic()
            is_flushed = pipeline.flush(2.0)
            waited_s = time.monotonic() - begin
            assert_balanced(pipeline)
        finally:
            server.thaw()

        assert slowest_s < 0.3  # the store's own bound is 0.5 s; a busy machine takes a thread's turn for some ms
        assert not is_flushed
        assert waited_s < 20
        assert pipeline.flush(30)
        assert count(engine, "debugging_trace_step") == 201
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)


@pytest.mark.fault(2)
def test_a_fork_does_not_wait_for_a_frozen_server(server: MariaDBServer, url: str) -> None:
    with pipeline_on(url, **FAST) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        server.freeze()
        try:
            pipeline.put_span(make_span(span_id=2))
            pipeline.flush(0.2)  # by now the thread waits for the server
            begin = time.monotonic()
            pipeline.before_fork()
            waited_s = time.monotonic() - begin
            pipeline.after_fork_in_parent()
        finally:
            server.thaw()

        assert waited_s < 0.4  # less than the read timeout
        assert pipeline.flush(30)
        assert_balanced(pipeline)


@pytest.mark.fault(3)
def test_a_server_that_is_frozen_before_the_first_connection_is_waited_for(server: MariaDBServer, url: str) -> None:
    """The handshake of a new connection is bounded by the read timeout alone (reliability page, finding 2)."""
    server.freeze()
    try:
        with pipeline_on(url, **FAST) as pipeline:
            pipeline.put_span(make_span())
            assert not pipeline.flush(2.5)

            assert pipeline.stats()["store_away"]
            server.thaw()
            assert pipeline.flush(30)
            assert pipeline.stats()["queued"] == 0
    finally:
        server.thaw()


@pytest.mark.fault(7)
def test_a_killed_server_that_comes_back_has_every_row_once(server: MariaDBServer, url: str, engine: sa.Engine) -> None:
    with pipeline_on(url, **FAST) as pipeline:
        stop = threading.Event()
        emitted = []

        def emit() -> None:
            while not stop.wait(0.001):
                emitted.append(len(emitted) + 1)
                pipeline.put_span(make_span(span_id=emitted[-1]))

        host = threading.Thread(target=emit)
        host.start()
        time_to_write = pipeline.flush(20)
        server.kill()
        assert time_to_write
        assert not pipeline.flush(0.5)
        server.start()
        assert pipeline.flush(30)
        stop.set()
        host.join()
        assert pipeline.flush(30)
        engine.dispose()

        assert count(engine, "debugging_trace_step") == len(emitted)
        assert count(engine, "debugging_trace_step", "1 = 1") == session_steps(engine)
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)


def session_steps(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one())


@pytest.mark.fault(10)
def test_after_a_failover_to_a_read_only_server_the_connection_is_given_up(
    server: MariaDBServer, url: str, engine: sa.Engine
) -> None:
    with pipeline_on(url) as pipeline, server.root() as root_connection, root_connection.cursor() as cursor:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            pipeline.put_span(make_span(span_id=2))
            assert not pipeline.flush(1.0)
            assert "1290" in str(pipeline.stats()["last_error"])
        finally:
            cursor.execute("SET GLOBAL read_only = 0")

        assert pipeline.flush(30)
        assert count(engine, "debugging_trace_step") == 2
        assert_balanced(pipeline)


@pytest.mark.fault(8)
def test_a_connection_that_was_killed_is_replaced_without_a_pause(
    server: MariaDBServer, url: str, engine: sa.Engine
) -> None:
    store = create_store_engine(url)
    writer = BatchWriter(store)
    writer.write(RowBatch(steps=[step(1)]), deadline=time.monotonic() + 30)
    with server.root() as root_connection, root_connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE user = %s AND db = %s", ("tester", url[-14:])
        )
        for (connection_id,) in cursor.fetchall():
            cursor.execute(f"KILL {connection_id}")

    result = writer.write(RowBatch(steps=[step(2)]), deadline=time.monotonic() + 30)

    store.dispose()
    assert result.stored == 1
    assert count(engine, "debugging_trace_step") == 2


@pytest.mark.fault(12)
def test_a_lock_wait_that_ends_is_only_a_delay(url: str, engine: sa.Engine) -> None:
    writer_engine = create_store_engine(url)
    writer = BatchWriter(writer_engine)
    writer.write(RowBatch(steps=[root(1)]), deadline=time.monotonic() + 30)
    with writer_engine.connect() as connection:
        connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
    locking = engine.connect()
    locking.exec_driver_sql("SELECT * FROM debugging_workflow_session WHERE correlation_id = 'c-1' FOR UPDATE")
    timer = threading.Timer(1.5, locking.close)
    timer.start()

    result = writer.write(RowBatch(steps=[step(number) for number in range(2, 50)]), deadline=time.monotonic() + 30)

    timer.join()
    writer_engine.dispose()
    assert result.stored == 48
    assert session(engine)["step_count"] == count(engine, "debugging_trace_step") == 49


@pytest.mark.fault(12)
def test_tries_of_a_lock_that_stays_end_and_leave_no_half_transaction(url: str, engine: sa.Engine) -> None:
    """1205 rolls back one statement only: a commit afterwards would keep the steps without their session."""
    writer_engine = create_store_engine(url)
    writer = BatchWriter(writer_engine, sleep=lambda _: None)
    writer.write(RowBatch(steps=[root(1)]), deadline=time.monotonic() + 30)
    with writer_engine.connect() as connection:
        connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
    locking = engine.connect()
    locking.exec_driver_sql("SELECT * FROM debugging_workflow_session WHERE correlation_id = 'c-1' FOR UPDATE")

    with pytest.raises(StoreUnavailable) as caught:
        writer.write(RowBatch(steps=[step(2), step(3)]), deadline=time.monotonic() + 3)

    locking.close()
    writer_engine.dispose()
    assert caught.value.error_class is ErrorClass.RETRY
    assert len(caught.value.remaining) == 2
    assert count(engine, "debugging_trace_step") == 1


@pytest.mark.fault(11)
def test_eight_writers_of_the_same_sessions_lose_nothing(url: str, engine: sa.Engine) -> None:
    stored: list[int] = []

    def write(worker: int) -> None:
        own = create_store_engine(url)
        writer = BatchWriter(own)
        for turn in range(10):
            steps = [step(worker * 100 + turn, trace=trace) for trace in range(1, 30)]
            errors = [error(worker * 1000 + turn, fingerprint=f"{turn % 3:032x}")]
            stored.append(writer.write(RowBatch(steps=steps, errors=errors), deadline=time.monotonic() + 60).stored)
        own.dispose()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(stored) == 8 * 10 * 30
    assert session_steps(engine) == count(engine, "debugging_trace_step") == 8 * 10 * 29
    assert count(engine, "debugging_error_group", "occurrences > 0") == 3


@pytest.mark.fault(6)
def test_a_reply_lost_after_the_commit_stores_and_counts_nothing_twice(url: str, engine: sa.Engine) -> None:
    with FaultProxy(sa.make_url(url).port or 0) as proxy:
        through = sa.make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        store = create_store_engine(through, read_timeout_s=1)
        writer = BatchWriter(store)
        writer.write(RowBatch(steps=[step(1)]), deadline=time.monotonic() + 30)
        proxy.mode = "drop_reply_after_commit"

        result = writer.write(
            RowBatch(steps=[step(number) for number in range(2, 200)], errors=[error(1)]),
            deadline=time.monotonic() + 30,
        )

        store.dispose()
    assert proxy.faults == 1
    assert (result.stored, result.already_there) == (0, 199)
    assert session(engine)["step_count"] == count(engine, "debugging_trace_step") == 199
    assert count(engine, "debugging_error_group", "occurrences = 1") == 1


@pytest.mark.fault(5)
def test_a_connection_cut_in_the_middle_of_a_batch_leaves_no_half_of_it(url: str, engine: sa.Engine) -> None:
    with FaultProxy(sa.make_url(url).port or 0) as proxy:
        through = sa.make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
        store = create_store_engine(through, read_timeout_s=1)
        writer = BatchWriter(store)
        writer.write(RowBatch(steps=[step(1)]), deadline=time.monotonic() + 30)
        proxy.mode = "cut_mid_request"

        result = writer.write(
            RowBatch(steps=[step(number) for number in range(2, 200)]), deadline=time.monotonic() + 30
        )

        store.dispose()
    assert proxy.faults == 1
    assert result.stored == 198
    assert session(engine)["step_count"] == count(engine, "debugging_trace_step") == 199


@pytest.mark.fault(9)
def test_too_many_connections_are_waited_out(server: MariaDBServer, url: str) -> None:
    with server.root() as root_connection, root_connection.cursor() as cursor:
        cursor.execute("SET GLOBAL max_connections = 10")
        crowd = [server.root() for _ in range(9)]
        try:
            with pipeline_on(url) as pipeline:
                pipeline.put_span(make_span())
                assert not pipeline.flush(1.0)
                assert "1040" in str(pipeline.stats()["last_error"])
                for connection in crowd:
                    connection.close()
                assert pipeline.flush(30)
                assert pipeline.stats()["stored"] >= 1
                assert_balanced(pipeline)
        finally:
            cursor.execute("SET GLOBAL max_connections = 151")


def test_a_wrong_password_is_reported_and_drops_nothing(url: str) -> None:
    wrong = sa.make_url(url).set(password="wrong").render_as_string(hide_password=False)
    with pipeline_on(wrong) as pipeline:
        pipeline.put_span(make_span())

        assert not pipeline.flush(1.0)
        assert "1045" in str(pipeline.stats()["last_error"])
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)


def test_a_url_of_another_database_is_reported_and_drops_nothing() -> None:
    with pipeline_on("postgresql://somewhere/else") as pipeline:
        pipeline.put_span(make_span())

        assert not pipeline.flush(1.0)
        assert "is not a database of e2edebug" in str(pipeline.stats()["last_error"])
        assert_balanced(pipeline)


@pytest.mark.fault(24)
def test_a_frozen_server_delays_an_exit_by_no_more_than_its_bound(server: MariaDBServer, url: str) -> None:
    with pipeline_on(url, exit_timeout_s=0.5) as pipeline:
        pipeline.put_span(make_span(span_id=1))
        assert pipeline.flush(20)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            pipeline.put_span(make_span(span_id=2))
            begin = time.monotonic()
            pipeline.exit()
            took_s = time.monotonic() - begin
        finally:
            server.thaw()

        assert took_s < 8  # less than the read timeout
        assert pipeline.stats()["dropped"]["shutdown"] >= 1
        assert_balanced(pipeline)


@pytest.mark.fault(15)
def test_a_full_sqlite_file_is_waited_for_and_stays_whole(tmp_path: Path) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    migrate(engine)
    writer = BatchWriter(engine)
    rows = [step(number, metadata="x" * 5000) for number in range(200)]
    with engine.connect() as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")

    with pytest.raises(StoreUnavailable) as caught:
        writer.write(RowBatch(steps=rows), deadline=time.monotonic() + 30)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    result = writer.write(caught.value.remaining, deadline=time.monotonic() + 30)

    assert caught.value.error_class is ErrorClass.BACK_OFF
    assert result.stored == count(engine, "debugging_trace_step") == 200
    engine.dispose()
