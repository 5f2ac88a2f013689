"""Two real servers behind one URL: one is gone, frozen, read-only, and the other takes over."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug.policy.config import ConfigurationError, load_config
from e2edebug.policy.database_hosts import url_per_host
from e2edebug_schema.engine import create_store_engine, hosts_of
from e2edebug_schema.host_failover import HostFailover
from e2edebug_schema.migrate import migrate
from e2edebug_schema.store_errors import StoreUrlError

from ..exporters.writing.pipelines import assert_balanced, pipeline_on

FAST = {"connect_timeout_s": 1.0, "read_timeout_s": 2.0, "write_timeout_s": 2.0}


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[MariaDBServer, MariaDBServer]]:
    """Two servers with the same database, user and password."""
    first, second = MariaDBServer.create(), MariaDBServer.create()
    second_password = second.password
    with second.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER USER '{second.user}'@'127.0.0.1' IDENTIFIED BY '{first.password}'")
    second.password = first.password
    for server in (first, second):
        with server.root() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE telemetry")
        engine = create_store_engine(server.url("telemetry"))
        migrate(engine)
        engine.dispose()
    assert second_password != first.password
    yield first, second
    first.remove()
    second.remove()


def url_of(first: MariaDBServer, second: MariaDBServer) -> str:
    return first.url("telemetry").replace(f":{first.port}/", f":{first.port},127.0.0.1:{second.port}/")


def port_of(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT @@port").scalar_one())


@pytest.fixture
def engine(pair: tuple[MariaDBServer, MariaDBServer]) -> Iterator[sa.Engine]:
    engine = create_store_engine(url_of(*pair), connect_timeout_s=1.0, read_timeout_s=2.0, write_timeout_s=2.0)
    yield engine
    engine.dispose()


def set_read_only(server: MariaDBServer, is_read_only: bool) -> None:
    with server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL read_only = {int(is_read_only)}")


def test_the_first_host_is_preferred(pair: tuple[MariaDBServer, MariaDBServer], engine: sa.Engine) -> None:
    assert port_of(engine) == pair[0].port
    assert hosts_of(engine) == (f"127.0.0.1:{pair[0].port}", f"127.0.0.1:{pair[1].port}")


def test_a_host_that_is_gone_is_passed_over(pair: tuple[MariaDBServer, MariaDBServer], engine: sa.Engine) -> None:
    pair[0].kill()
    try:
        assert port_of(engine) == pair[1].port
    finally:
        pair[0].start()
    engine.dispose()
    assert port_of(engine) == pair[1].port  # it stays with the one that answered


def test_a_frozen_host_costs_no_more_than_connecting_may(
    pair: tuple[MariaDBServer, MariaDBServer],
) -> None:
    engine = create_store_engine(url_of(*pair), connect_timeout_s=1.0, read_timeout_s=300.0)
    pair[0].freeze()
    try:
        begun = time.monotonic()
        port = port_of(engine)
        took_s = time.monotonic() - begun
    finally:
        pair[0].thaw()
    engine.dispose()

    assert port == pair[1].port
    assert took_s < 60


def test_a_read_only_host_serves_only_when_no_other_takes_rows(
    pair: tuple[MariaDBServer, MariaDBServer], engine: sa.Engine
) -> None:
    set_read_only(pair[0], True)
    try:
        assert port_of(engine) == pair[1].port
        engine.dispose()
        pair[1].kill()
        assert port_of(engine) == pair[0].port
    finally:
        pair[1].start()
        set_read_only(pair[0], False)


def test_when_every_host_is_gone_the_first_one_s_error_is_told(pair: tuple[MariaDBServer, MariaDBServer]) -> None:
    def refuse(text: str) -> None:
        raise OSError(text)

    failover = HostFailover([lambda: refuse("first"), lambda: refuse("second")])

    with pytest.raises(OSError, match="first"):
        failover()


@pytest.mark.parametrize("fault", ["killed", "read-only"])
def test_rows_go_on_to_the_second_host(
    fault: str, pair: tuple[MariaDBServer, MariaDBServer], request: pytest.FixtureRequest
) -> None:
    first, second = pair
    trace = 1 if fault == "killed" else 2
    with pipeline_on(url_of(*pair), **FAST) as pipeline:
        pipeline.put_span(make_span(trace_id=trace, span_id=1))
        assert pipeline.flush(30)
        if fault == "killed":
            first.kill()
            request.addfinalizer(first.start)
        else:
            set_read_only(first, True)
            request.addfinalizer(lambda: set_read_only(first, False))
        pipeline.put_span(make_span(trace_id=trace, span_id=2))

        assert pipeline.flush(30)
        assert_balanced(pipeline)

    engine = create_store_engine(second.url("telemetry"))
    with engine.connect() as connection:
        query = sa.text("SELECT span_id FROM debugging_trace_step WHERE trace_id = :trace")
        found = list(connection.execute(query, {"trace": f"{trace:032x}"}).scalars())
    engine.dispose()
    assert found == [f"{2:016x}"]


def test_one_url_names_each_host_with_the_same_credentials() -> None:
    url = "mysql+pymysql://u:p,w@db1:3306,db2, [::1]:3307/telemetry?ssl_ca=/a,b"

    assert url_per_host(url) == [
        "mysql+pymysql://u:p,w@db1:3306/telemetry?ssl_ca=/a,b",
        "mysql+pymysql://u:p,w@db2/telemetry?ssl_ca=/a,b",
        "mysql+pymysql://u:p,w@[::1]:3307/telemetry?ssl_ca=/a,b",
    ]
    assert url_per_host("sqlite:////a,b.sqlite3") == ["sqlite:////a,b.sqlite3"]
    assert url_per_host("mysql://h/a,b") == ["mysql://h/a,b"]


@pytest.mark.parametrize(
    ("hosts", "reason"),
    [("db1,,db3", "one of its hosts is empty"), ("db1,db2:x", "port is not a number"), ("db1,", "hosts is empty")],
)
def test_a_list_of_hosts_that_cannot_be_right_is_refused(hosts: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_config({"database_url": f"mysql+pymysql://u:secret@{hosts}/telemetry"}, environ={})

    assert "secret" not in str(caught.value)


def test_an_engine_of_several_hosts_checks_each_url() -> None:
    with pytest.raises(StoreUrlError):
        create_store_engine("mysql+pymysql://u:p@db1,db2:port/telemetry")


def test_the_command_line_reads_from_the_host_that_is_left(pair: tuple[MariaDBServer, MariaDBServer]) -> None:
    from cli.command import run_process

    first, _ = pair
    first.kill()
    try:
        outcome = run_process("migrate", "--check", cwd=first.folder, environ={"E2EDEBUG_DATABASE_URL": url_of(*pair)})
        sessions = run_process("sessions", cwd=first.folder, environ={"E2EDEBUG_DATABASE_URL": url_of(*pair)})
    finally:
        first.start()

    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert first.password not in outcome.stdout
    assert (sessions.returncode, sessions.stderr) == (0, "")


DJANGO = """
import django, os, sys
from django.conf import settings
from e2edebug.policy.config import load_config
from e2edebug.django.store_alias import database_entry, _provide_mysqldb
_provide_mysqldb()
entry = database_entry(os.environ["URL"], load_config(environ={}))
settings.configure(DATABASES={"default": entry})
django.setup()
from django.db import connection, transaction
from e2edebug.django.failover_mysql import base
base.CHECK_INTERVAL_S = 0.0  # each use is one after some seconds

def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@port, (SELECT COUNT(*) FROM debugging_workflow_session)")
        return cursor.fetchone()[0]
"""


def django_program(pair: tuple[MariaDBServer, MariaDBServer], program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DJANGO + program], env={"URL": url_of(*pair), "PATH": ""},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_django_reads_from_the_host_that_is_left(pair: tuple[MariaDBServer, MariaDBServer]) -> None:
    first, second = pair
    first.kill()
    try:
        stdout, stderr = django_program(pair, "print(ask(), connection.vendor)").communicate(timeout=120)
    finally:
        first.start()

    assert stdout == f"{second.port} mysql\n", stderr


KEPT = """
print(ask(), flush=True)
sys.stdin.readline()
print(ask(), flush=True)
with transaction.atomic():
    print(ask(), flush=True)
sys.stdin.readline()
print(ask(), flush=True)
"""


def test_a_connection_that_django_keeps_is_left_for_another_host_without_an_error(
    pair: tuple[MariaDBServer, MariaDBServer],
) -> None:
    """As in a management command or a worker, whose connections Django never checks."""
    first, second = pair
    running = django_program(pair, KEPT)
    assert running.stdin is not None
    assert running.stdout is not None
    before = running.stdout.readline()
    first.kill()
    try:
        running.stdin.write("\n")
        running.stdin.flush()
        after = [running.stdout.readline() for _ in range(2)]
    finally:
        first.start()
    second.kill()
    try:
        stdout, stderr = running.communicate("\n", timeout=120)
    finally:
        second.start()

    assert (before, after) == (f"{first.port}\n", [f"{second.port}\n"] * 2), stderr
    assert stdout == f"{first.port}\n", stderr


def test_a_connection_that_was_asked_a_moment_ago_is_not_asked_again(pair: tuple[MariaDBServer, MariaDBServer]) -> None:
    """Nor is one within a transaction, however long that lasts."""
    program = """
asked = []
base.require_majority = lambda connection: asked.append(connection)
base.CHECK_INTERVAL_S = 1000.0
ask(), ask()
print(len(asked))
connection._check_due_at = 0.0
ask(), ask()
print(len(asked))
with transaction.atomic():
    connection._check_due_at = 0.0
    ask(), ask()
    print(len(asked))
"""
    stdout, stderr = django_program(pair, program).communicate(timeout=120)

    assert stdout.split() == ["0", "1", "1"], stderr
