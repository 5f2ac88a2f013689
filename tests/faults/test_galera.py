"""A Galera cluster of three nodes: conflicts at COMMIT, and nodes that are killed, frozen or without a quorum."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from exporters.writing.pipelines import assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import step
from support.galera import GaleraCluster, wait_for_size, wait_until_synced
from support.mariadb import MariaDBServer
from support.small_disk import migrate_store
from support.spans import make_span

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine

FAST = {"connect_timeout_s": 2.0, "read_timeout_s": 3.0, "write_timeout_s": 3.0}

pytestmark = [pytest.mark.galera, pytest.mark.long]


@pytest.fixture(scope="module")
def cluster() -> Iterator[GaleraCluster]:
    cluster = GaleraCluster()
    yield cluster
    cluster.remove()


@pytest.fixture
def database(cluster: GaleraCluster) -> str:
    """The name of a migrated database on every node."""
    name = f"t_{secrets.token_hex(6)}"
    with cluster.nodes[0].root() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    migrate_store(cluster.nodes[0].url(name))
    return name


def count(node: MariaDBServer, database: str, what: str = "COUNT(*) FROM debugging_trace_step") -> int:
    """Return a number as *node* sees it once it has applied what the others have committed."""
    with node.root() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_sync_wait = 1")
        cursor.execute(f"USE {database}")
        cursor.execute(f"SELECT {what}")
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


STEPS_OF_SESSIONS = "SUM(step_count) FROM debugging_workflow_session"


@contextmanager
def load_on(pipeline: Pipeline) -> Iterator[list[int]]:
    """Emit spans until the end of the block; give the list of those emitted."""
    stop = threading.Event()
    emitted: list[int] = []

    def emit() -> None:
        while not stop.wait(0.005):
            emitted.append(len(emitted) + 1)
            pipeline.put_span(make_span(span_id=emitted[-1]))

    host = threading.Thread(target=emit)
    host.start()
    try:
        yield emitted
    finally:
        stop.set()
        host.join()


def assert_all_stored_once(pipeline: Pipeline, emitted: list[int], node: MariaDBServer, database: str) -> None:
    assert pipeline.flush(90)
    assert sum(pipeline.stats()["dropped"].values()) == 0
    assert_balanced(pipeline)
    assert count(node, database) == count(node, database, STEPS_OF_SESSIONS) == len(emitted)


def write_until_stored(writer: BatchWriter, batch: RowBatch) -> int:
    """Do as the pipeline does: after five tries what remains is kept and sent again."""
    stored = 0
    for _ in range(20):
        try:
            return stored + writer.write(batch, deadline=time.monotonic() + 60).stored
        except StoreUnavailable as unavailable:
            stored, batch = stored + unavailable.result.stored, unavailable.remaining
    raise AssertionError("two nodes never agreed")


@pytest.mark.fault(40)
def test_writers_on_two_nodes_that_change_the_same_sessions_lose_nothing(cluster: GaleraCluster, database: str) -> None:
    """Both transactions go through on their own node, and one of them gets 1213 at its COMMIT."""
    stored: list[int] = []

    def write(worker: int) -> None:
        store = create_store_engine(cluster.nodes[worker % 2].url(database))
        writer = BatchWriter(store)
        for turn in range(25):
            rows = [step(worker * 1000 + turn, trace=trace) for trace in range(1, 20)]
            stored.append(write_until_stored(writer, RowBatch(steps=rows)))
        store.dispose()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(stored) == 4 * 25 * 19
    for node in cluster.nodes:
        assert count(node, database) == count(node, database, STEPS_OF_SESSIONS) == 4 * 25 * 19


@pytest.mark.fault(41)
def test_a_killed_node_is_left_for_the_next_one(cluster: GaleraCluster, database: str) -> None:
    used, survivor = cluster.nodes[0], cluster.nodes[1]
    with pipeline_on(cluster.url(database), **FAST) as pipeline:
        with load_on(pipeline) as emitted:
            assert pipeline.flush(60)
            used.kill()
            assert pipeline.flush(90)

        assert_all_stored_once(pipeline, emitted, survivor, database)
    used.start()
    wait_until_synced(used)
    assert count(used, database) == len(emitted)


@pytest.mark.fault(41)
@pytest.mark.parametrize("frozen", [0, 2], ids=["the one in use", "another"])
def test_a_frozen_node_is_a_delay(cluster: GaleraCluster, database: str, frozen: int) -> None:
    """The cluster waits until it takes the silent node for dead, and goes on without it."""
    node, other = cluster.nodes[frozen], cluster.nodes[1]
    with pipeline_on(cluster.url(database), **FAST) as pipeline:
        try:
            with load_on(pipeline) as emitted:
                assert pipeline.flush(60)
                node.freeze()
                time.sleep(0.5)
                assert pipeline.flush(90)
            assert_all_stored_once(pipeline, emitted, other, database)
        finally:
            node.thaw()
    wait_for_size(other, 3)
    wait_until_synced(node)


@pytest.mark.fault(41)
def test_without_a_quorum_rows_wait_until_there_is_one(cluster: GaleraCluster, database: str) -> None:
    """What is left of the cluster accepts connections and a ping, and refuses every statement with 1047."""
    left, *others = cluster.nodes
    with pipeline_on(cluster.url(database), **FAST) as pipeline:
        with load_on(pipeline) as emitted:
            assert pipeline.flush(60)
            for node in others:
                node.kill()
            time.sleep(6.0)  # until the one that is left has given them up
            assert not pipeline.flush(2.0)
            assert_balanced(pipeline)

            with left.root() as connection, connection.cursor() as cursor:
                cursor.execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'")
        assert_all_stored_once(pipeline, emitted, left, database)
    for node in others:
        node.start()
        wait_until_synced(node)
    assert count(others[0], database) == len(emitted)
