"""What a server can do to its clients, beyond what tests/exporters/writing/test_faults.py does to it already."""

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from exporters.writing.fault_proxy import FaultProxy
from exporters.writing.pipelines import RESOURCE, assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import count, root, session, step
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug.policy.config import load_config
from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine

FAST = {"connect_timeout_s": 0.5, "read_timeout_s": 0.5, "write_timeout_s": 0.5}
HOUR_S = 3600.0


class Clock:
    """Stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.fault(1)
def test_an_hour_without_a_database_loses_nothing_and_ends_by_itself(
    victim: MariaDBServer, victim_url: str, victim_engine: sa.Engine
) -> None:
    clock = Clock()
    config = load_config({"flush_interval_s": 0.01, "metric_interval_s": 2 * HOUR_S, **FAST}, environ={})
    pipeline = Pipeline(victim_url, config, resource=RESOURCE, clock=clock)
    victim.kill()
    try:
        for number in range(1, 1801):
            pipeline.put_span(make_span(span_id=number))
            clock.now += 2.0
            pipeline._wake.set()
            if number % 100 == 0:
                assert_balanced(pipeline)
        assert_waits(lambda: pipeline.stats()["store_away"])
    finally:
        victim.start()

    # Nobody flushes: the next probe, a minute later at most, finds the database again.
    def is_stored() -> bool:
        clock.now += 60.0
        pipeline._wake.set()
        return pipeline.stats()["queued"] == 0

    assert_waits(is_stored, pause_s=0.2)
    assert pipeline.shutdown(30)
    victim_engine.dispose()
    assert count(victim_engine, "debugging_trace_step") == 1800
    assert sum(pipeline.stats()["dropped"].values()) == 0
    assert_balanced(pipeline)


@pytest.mark.fault(4)
def test_a_network_that_swallows_everything_costs_the_host_nothing(victim_url: str, victim_engine: sa.Engine) -> None:
    with FaultProxy(sa.make_url(victim_url).port or 0) as proxy:
        through = sa.make_url(victim_url).set(port=proxy.port).render_as_string(hide_password=False)
        with pipeline_on(through, **FAST) as pipeline:
            pipeline.put_span(make_span(span_id=10_000))
            assert pipeline.flush(30)
            proxy.mode = "swallow"
            for number in range(1, 301):
                pipeline.put_span(make_span(span_id=number))

            assert not pipeline.flush(2.0)
            assert_balanced(pipeline)

            proxy.mode = "pass"
            assert pipeline.flush(60)
            assert count(victim_engine, "debugging_trace_step") == 301
            assert sum(pipeline.stats()["dropped"].values()) == 0


@pytest.mark.long
@pytest.mark.fault(7)
def test_ten_kills_of_the_database_at_random_moments_lose_and_double_nothing(
    victim: MariaDBServer, victim_url: str, victim_engine: sa.Engine
) -> None:
    stop = threading.Event()
    emitted: list[int] = []
    with pipeline_on(victim_url, batch_max_items=100, **FAST) as pipeline:

        def emit() -> None:
            while not stop.wait(0.002):
                emitted.append(len(emitted) + 1)
                pipeline.put_span(make_span(span_id=emitted[-1], trace_id=1 + emitted[-1] % 7))

        host = threading.Thread(target=emit)
        host.start()
        for moment in range(10):
            time.sleep(0.1 + 0.037 * moment)
            victim.kill()
            victim.start()
            assert pipeline.flush(90)
            assert_balanced(pipeline)
        stop.set()
        host.join()
        assert pipeline.flush(90)

        victim_engine.dispose()
        assert count(victim_engine, "debugging_trace_step") == len(emitted)
        with victim_engine.connect() as connection:
            counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one()
        assert counted == len(emitted)
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)


@pytest.mark.fault(8)
def test_a_connection_that_was_idle_for_too_long_is_replaced(
    victim: MariaDBServer, victim_url: str, victim_engine: sa.Engine
) -> None:
    with victim.root() as root_connection, root_connection.cursor() as cursor:
        cursor.execute("SET GLOBAL wait_timeout = 1")
        try:
            with pipeline_on(victim_url) as pipeline:
                pipeline.put_span(make_span(span_id=1))
                assert pipeline.flush(30)
                cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'tester'")
                assert_waits(lambda: no_connection_of_tester(victim))

                pipeline.put_span(make_span(span_id=2))
                assert pipeline.flush(30)

                assert count(victim_engine, "debugging_trace_step") == 2
                assert_balanced(pipeline)
        finally:
            cursor.execute("SET GLOBAL wait_timeout = 28800")


def no_connection_of_tester(server: MariaDBServer) -> bool:
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'tester'")
        return bool(cursor.fetchone() == (0,))


@pytest.mark.fault(13)
def test_a_query_that_was_killed_is_sent_again(
    victim: MariaDBServer, victim_url: str, victim_engine: sa.Engine
) -> None:
    store = create_store_engine(victim_url)
    writer = BatchWriter(store)
    writer.write(RowBatch(steps=[root(1)]), deadline=time.monotonic() + 60)
    locking = victim_engine.connect()
    locking.exec_driver_sql("SELECT * FROM debugging_workflow_session WHERE correlation_id = 'c-1' FOR UPDATE")
    stored: list[int] = []
    batch = RowBatch(steps=[step(number) for number in range(2, 200)])
    writing = threading.Thread(target=lambda: stored.append(writer.write(batch, deadline=time.monotonic() + 60).stored))
    writing.start()

    assert_waits(lambda: is_query_killed(victim))
    locking.close()
    writing.join()

    store.dispose()
    assert stored == [198]
    assert session(victim_engine)["step_count"] == count(victim_engine, "debugging_trace_step") == 199


def is_query_killed(server: MariaDBServer) -> bool:
    """Kill the statement that waits for the session, if there is one yet."""
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE user = 'tester' AND info LIKE 'INSERT INTO debugging_workflow_session%'"
        )
        found = cursor.fetchall()
        for (connection_id,) in found:
            cursor.execute(f"KILL QUERY {connection_id}")
        return bool(found)


@pytest.mark.fault(36)
def test_writers_of_this_version_go_on_while_a_newer_one_adds_columns(store_url: str, engine: sa.Engine) -> None:
    """Every INSERT names its columns; those of a later revision have defaults."""
    stop = threading.Event()
    emitted: list[int] = []

    with pipeline_on(store_url, batch_max_items=50) as pipeline:

        def emit() -> None:
            while not stop.wait(0.002):
                emitted.append(len(emitted) + 1)
                pipeline.put_span(make_span(span_id=emitted[-1]))

        host = threading.Thread(target=emit)
        host.start()
        for table in ("debugging_trace_step", "debugging_workflow_session"):
            assert pipeline.flush(60)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN of_a_later_revision INT NOT NULL DEFAULT 7")
        assert pipeline.flush(60)
        stop.set()
        host.join()

        assert pipeline.flush(60)
        assert count(engine, "debugging_trace_step", "of_a_later_revision = 7") == len(emitted)
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)


@pytest.mark.fault(39)
def test_a_column_that_is_missing_keeps_the_rows_and_names_the_command(
    store_url: str, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE debugging_trace_step RENAME COLUMN code_location TO elsewhere")
    with pipeline_on(store_url) as pipeline:
        for number in range(1, 101):
            pipeline.put_span(make_span(span_id=number))

        assert not pipeline.flush(1.0)
        assert "e2edebug migrate" in caplog.text
        assert_balanced(pipeline)

        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE debugging_trace_step RENAME COLUMN elsewhere TO code_location")
        assert pipeline.flush(60)
        assert count(engine, "debugging_trace_step") == 100
        assert sum(pipeline.stats()["dropped"].values()) == 0


def assert_waits(is_so: Callable[[], bool], *, within_s: float = 60.0, pause_s: float = 0.02) -> None:
    """Return once *is_so*."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(pause_s)
