"""A Galera cluster of three nodes: conflicts at COMMIT, and nodes that are killed, frozen or without a quorum."""

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa
from cli.command import run_process
from django_app.project import APPS, MIDDLEWARE, Project
from exporters.writing.pipelines import assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import step
from support.galera import GaleraCluster, status_of, wait_for_size, wait_until_synced
from support.mariadb import MariaDBServer
from support.small_disk import migrate_store
from support.spans import make_span
from support.waiting import wait_until

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.sessions import list_sessions

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
    """What is left of the cluster accepts connections and a ping, and refuses what reads or writes a table with 1047."""
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


@pytest.fixture
def lose_quorum(cluster: GaleraCluster) -> Iterator[Callable[[], None]]:
    """Kills every node but the first, and returns once that one refuses queries; afterwards all take part again."""
    left, *others = cluster.nodes
    killed: list[MariaDBServer] = []

    def lose() -> None:
        for node in others:
            node.kill()
            killed.append(node)
        wait_until(lambda: status_of(left, "wsrep_cluster_status") == "non-Primary")
        refused = pytest.raises(pymysql.Error, match="1047")
        with left.root() as connection, connection.cursor() as cursor, refused:
            cursor.execute("SELECT 1 FROM mysql.user")

    yield lose
    if killed:
        with left.root() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'")
    for node in killed:
        node.start()
        wait_until_synced(node)


@pytest.fixture(scope="module")
def elsewhere(cluster: GaleraCluster) -> Iterator[MariaDBServer]:
    """A server that is in order, outside the cluster, with the same user and password."""
    server = MariaDBServer.create()
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER USER '{server.user}'@'127.0.0.1' IDENTIFIED BY '{cluster.nodes[0].password}'")
    server.password = cluster.nodes[0].password
    yield server
    server.remove()


@pytest.fixture
def two_hosts(cluster: GaleraCluster, database: str, elsewhere: MariaDBServer) -> str:
    """One URL: the cluster's first node, then the server elsewhere, both migrated."""
    first = cluster.nodes[0]
    with elsewhere.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database}")
    migrate_store(elsewhere.url(database))
    return first.url(database).replace(f":{first.port}/", f":{first.port},127.0.0.1:{elsewhere.port}/")


def span_ids(node: MariaDBServer, database: str) -> set[int]:
    """Return the ids of the steps on *node*, also when it is in a minority."""
    with node.root() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_dirty_reads = 1")
        cursor.execute(f"SELECT span_id FROM {database}.debugging_trace_step")
        return {int(span_id, 16) for (span_id,) in cursor.fetchall()}


def assert_nothing_dropped(pipeline: Pipeline) -> None:
    assert pipeline.flush(90)
    assert sum(pipeline.stats()["dropped"].values()) == 0
    assert_balanced(pipeline)


@pytest.mark.fault(41)
def test_a_pipeline_leaves_a_node_that_loses_its_quorum_for_the_next_host(
    cluster: GaleraCluster, database: str, two_hosts: str, elsewhere: MariaDBServer, lose_quorum: Callable[[], None]
) -> None:
    """The node answers 1047 on the connection that the pipeline already has."""
    with pipeline_on(two_hosts, **FAST) as pipeline:
        with load_on(pipeline) as emitted:
            assert pipeline.flush(60)
            assert not span_ids(elsewhere, database)
            lose_quorum()
            before = len(emitted)
            wait_until(lambda: len(emitted) >= before + 100)
        assert_nothing_dropped(pipeline)

    kept, moved = span_ids(cluster.nodes[0], database), span_ids(elsewhere, database)
    assert kept
    assert moved >= set(emitted[before:])
    assert kept | moved == set(emitted)
    assert count(elsewhere, database, STEPS_OF_SESSIONS) == len(moved)


@pytest.mark.fault(41)
def test_a_pipeline_that_starts_beside_a_node_without_a_quorum_stores_in_the_next_host(
    cluster: GaleraCluster, database: str, two_hosts: str, elsewhere: MariaDBServer, lose_quorum: Callable[[], None]
) -> None:
    """The node lets the pipeline connect, and answers its first query with 1047."""
    lose_quorum()
    with pipeline_on(two_hosts, **FAST) as pipeline:
        with load_on(pipeline) as emitted:
            wait_until(lambda: len(emitted) >= 100)
        assert_all_stored_once(pipeline, emitted, elsewhere, database)

    assert span_ids(elsewhere, database) == set(emitted)
    assert not span_ids(cluster.nodes[0], database)


@pytest.mark.fault(41)
def test_reads_answer_from_the_next_host_when_a_node_has_lost_its_quorum(
    database: str, two_hosts: str, elsewhere: MariaDBServer, lose_quorum: Callable[[], None], tmp_path: Path
) -> None:
    """The command line's, and those of an engine whose pool still has a connection to the node: it fails once."""
    with pipeline_on(elsewhere.url(database), **FAST) as pipeline:
        pipeline.put_span(make_span("only elsewhere"))
        assert_nothing_dropped(pipeline)
    reader = create_store_engine(two_hosts)
    assert list_sessions(reader) == []

    lose_quorum()
    listed = run_process("sessions", "--database", two_hosts, "--json", cwd=tmp_path)
    with pytest.raises(sa.exc.DBAPIError, match="1047"):
        list_sessions(reader)
    read_again = list_sessions(reader)
    reader.dispose()

    assert (listed.returncode, listed.stderr) == (0, "")
    assert "only elsewhere" in listed.stdout
    assert len(json.loads(listed.stdout)["sessions"]) == len(read_again) == 1


SITE_SETTINGS = """
    STATIC_URL = "/static/"
    TEMPLATES[0]["OPTIONS"]["context_processors"] = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    E2EDEBUG = {"ENABLED": False}
"""
SITE_URLS = """
    from django.contrib import admin
    from django.urls import include, path

    urlpatterns = [
        path("admin/", admin.site.urls), path("api/v1/debugging/", include("e2edebug.django.urls"))
    ]
"""
SITE_PROGRAM = """
import json, sys
from django.contrib.auth.models import User
from django.test import Client
from e2edebug.django.failover_mysql import base
from e2edebug.django.models import WorkflowSession

client = Client()
client.force_login(User.objects.create_superuser("root"))

def shown():
    admin = client.get("/admin/debugging/tracestep/")
    listed = client.get("/api/v1/debugging/trace-steps/")
    step = "only elsewhere"
    return {
        "admin": [admin.status_code, step in admin.content.decode()],
        "rest": [listed.status_code, step in listed.content.decode()],
    }

kept = WorkflowSession.objects.count()  # on a connection that stays open, as in a worker
print(json.dumps({"kept": kept, **shown()}), flush=True)
WorkflowSession.objects.count()
sys.stdin.readline()
base.CHECK_INTERVAL_S = 0.0
from django.db import connections
connections["e2edebug"]._check_due_at = 0.0  # some seconds have gone by
print(json.dumps({"kept": WorkflowSession.objects.count(), **shown()}), flush=True)
"""


@pytest.mark.fault(41)
def test_the_django_app_shows_the_next_host_when_a_node_has_lost_its_quorum(
    database: str, two_hosts: str, elsewhere: MariaDBServer, lose_quorum: Callable[[], None], tmp_path: Path
) -> None:
    """The lists of the admin and of the REST API, and a connection that a program of Django's has kept open."""
    project = Project(
        tmp_path, apps=("django.contrib.admin", "django.contrib.messages", "rest_framework", *APPS),
        middleware=(*MIDDLEWARE, "django.contrib.messages.middleware.MessageMiddleware"),
        settings=SITE_SETTINGS, files={"stranger/urls.py": SITE_URLS},
    )  # fmt: skip
    project.manage("migrate", "--verbosity", "0", "--skip-checks")
    with pipeline_on(elsewhere.url(database), **FAST) as pipeline:
        now_unix_ns = time.time_ns()  # lists show what is recent
        pipeline.put_span(make_span("only elsewhere", start_unix_ns=now_unix_ns - 1_000_000, end_unix_ns=now_unix_ns))
        assert_nothing_dropped(pipeline)
    environment = project.environment(
        {"E2EDEBUG_DATABASE_URL": two_hosts, "DJANGO_SETTINGS_MODULE": "stranger.settings"}
    )
    running = subprocess.Popen(
        [sys.executable, "-c", "import django\ndjango.setup()\n" + SITE_PROGRAM], cwd=project.folder, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    before = running.stdout.readline()
    lose_quorum()
    after, stderr = running.communicate("\n", timeout=120)

    assert json.loads(before) == {"kept": 0, "admin": [200, False], "rest": [200, False]}, stderr
    assert json.loads(after) == {"kept": 1, "admin": [200, True], "rest": [200, True]}, stderr


@pytest.mark.fault(40)
def test_pipelines_on_two_nodes_that_change_the_same_sessions_lose_nothing(
    cluster: GaleraCluster, database: str
) -> None:
    one, other = (cluster.nodes[number].url(database) for number in (0, 1))
    with (
        pipeline_on(one, batch_max_items=20, **FAST) as first,
        pipeline_on(other, batch_max_items=20, **FAST) as second,
    ):
        for number in range(1, 401):
            first.put_span(make_span(span_id=number, trace_id=1 + number % 19))
            second.put_span(make_span(span_id=1000 + number, trace_id=1 + number % 19))
            time.sleep(0.003)
        for pipeline in (first, second):
            assert_nothing_dropped(pipeline)

    for node in cluster.nodes:
        assert count(node, database) == count(node, database, STEPS_OF_SESSIONS) == 800
