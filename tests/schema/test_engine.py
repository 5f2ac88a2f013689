"""The store's engine: which URLs it takes, and what its sessions are like."""

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import (
    READ_ONLY_OPTION,
    STORE_ENGINE_OPTION,
    _is_in_transaction,
    create_store_engine,
    parse_store_url,
    read_max_allowed_packet,
)
from e2edebug_schema.server_session import require_supported_server
from e2edebug_schema.store_errors import StoreError, StoreUrlError, UnsupportedServer


@pytest.fixture
def fresh_engine(empty_store_url: str) -> Iterator[sa.Engine]:
    engine = create_store_engine(empty_store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY, v INTEGER)")
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("mysql://user:secret@host/db", "mysql+pymysql"),
        ("mariadb://user:secret@host/db", "mariadb+pymysql"),
        ("mysql+mysqldb://user:secret@host/db", "mysql+mysqldb"),
        ("sqlite:///store.sqlite3", "sqlite"),
    ],
)
def test_the_driver_of_a_url_is_pymysql_unless_it_says_otherwise(url: str, driver: str) -> None:
    assert parse_store_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "cannot be read"),
        ("shop.db", "cannot be read"),
        ("mysql://user:secret@host:port/db", "cannot be read"),
        ("nosql://user:secret@host/db", "cannot be read"),
        ("postgresql://user:secret@host/db", "is not a database of e2edebug"),
        ("mysql+asyncmy://user:secret@host/db", "is not a database of e2edebug"),
        ("mysql://user:secret@host/", "names no database"),
    ],
)
def test_a_wrong_url_is_answered_with_the_accepted_forms_and_no_password(url: str, complaint: str) -> None:
    with pytest.raises(StoreUrlError, match=complaint) as raised:
        create_store_engine(url)

    assert "mysql+pymysql://user:password@host:3306/database" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)

    with pytest.raises(StoreUrlError, match=r"driver of 'mysql\+mysqldb://user:\*\*\*@host/db' is not installed"):
        create_store_engine("mysql+mysqldb://user:secret@host/db")


@pytest.mark.parametrize(
    "version",
    ["8.0.36", "8.4.0", "9.2.0-log", "10.6.18-MariaDB", "5.5.5-10.11.19-MariaDB-0+deb12u1", "11.8.2-MariaDB"],
)
def test_a_supported_server_is_accepted(version: str) -> None:
    require_supported_server(version)


@pytest.mark.parametrize("version", ["5.7.44", "10.5.29-MariaDB", "5.5.5-10.3.39-MariaDB", "unknown"])
def test_an_older_server_is_refused_by_name(version: str) -> None:
    with pytest.raises(UnsupportedServer, match=version):
        require_supported_server(version)


def test_a_row_that_does_not_change_is_not_counted(fresh_engine: sa.Engine) -> None:
    """So that an upsert tells a new row from one that was already there."""
    if fresh_engine.dialect.name == "sqlite":
        upsert = "INSERT INTO t VALUES (1, 7) ON CONFLICT DO NOTHING"
    else:
        upsert = "INSERT INTO t VALUES (1, 7) ON DUPLICATE KEY UPDATE n = n"

    with fresh_engine.begin() as connection:
        counts = [connection.exec_driver_sql(upsert).rowcount for _ in range(2)]

    assert counts == [1, 0]


def test_one_connection_is_all_that_an_engine_holds(fresh_engine: sa.Engine) -> None:
    started = time.monotonic()

    with fresh_engine.connect(), pytest.raises(sa.exc.TimeoutError):
        fresh_engine.connect()

    assert time.monotonic() - started < 20


def test_a_connection_that_comes_back_with_a_transaction_open_is_rolled_back(fresh_engine: sa.Engine) -> None:
    given = fresh_engine.raw_connection()  # SQLAlchemy's own connections end their transactions before
    given.cursor().execute("BEGIN")
    given.cursor().execute("INSERT INTO t VALUES (1, 1)")
    given.close()

    with fresh_engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM t").scalar_one() == 0


def test_nothing_is_rolled_back_after_a_commit(mariadb_server: Any) -> None:
    """Each would be one wait for the server more."""
    engine = create_store_engine(mariadb_server.create_database())

    def rollbacks() -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Com_rollback'").one()[1])

    before = rollbacks()
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")

    assert rollbacks() == before + 1  # that of having looked
    engine.dispose()


def test_where_a_driver_does_not_tell_a_transaction_is_taken_for_open() -> None:
    assert _is_in_transaction(object())


def test_our_engine_can_be_told_from_the_hosts(fresh_engine: sa.Engine) -> None:
    assert fresh_engine.get_execution_options()[STORE_ENGINE_OPTION] is True


def test_connections_bypass_the_drivers_connect_function(empty_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instrumentation wraps it; our own statements must not become spans."""

    def wrapped(*args: Any, **keywords: Any) -> None:
        raise AssertionError("traced")

    connects = ((pymysql, "connect"), (pymysql, "Connect"), (sqlite3, "connect"), (sqlite3.dbapi2, "connect"))
    with monkeypatch.context() as patched:  # undone before the fixtures are: they connect, too
        for module, name in (*connects, (sa, "create_engine")):
            patched.setattr(module, name, wrapped)
        engine = create_store_engine(empty_store_url)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        engine.dispose()


def test_the_size_limit_of_a_statement_can_be_read(fresh_engine: sa.Engine) -> None:
    with fresh_engine.connect() as connection:
        assert read_max_allowed_packet(connection) >= 1_000_000


def test_a_server_session_is_utc_strict_and_utf8mb4(mariadb_server: Any) -> None:
    url = mariadb_server.create_database()
    engine = create_store_engine(url)

    with engine.connect() as connection:
        zone, mode, charset, row_wait, metadata_wait = connection.exec_driver_sql(
            "SELECT @@time_zone, @@sql_mode, @@character_set_client, @@innodb_lock_wait_timeout, @@lock_wait_timeout"
        ).one()
    engine.dispose()
    mariadb_server.drop_database(url)

    assert (zone, charset, row_wait, metadata_wait) == ("+00:00", "utf8mb4", 5, 5)
    assert "STRICT_ALL_TABLES" in mode


def test_a_server_that_never_answers_fails_within_the_read_timeout() -> None:
    """The kernel accepts the connection, then nobody speaks: a frozen server. connect_timeout does not cover it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = create_store_engine(
            f"mysql://user:secret@127.0.0.1:{silent.getsockname()[1]}/db", connect_timeout_s=30, read_timeout_s=0.2
        )
        started = time.monotonic()

        with pytest.raises(sa.exc.OperationalError):
            engine.connect()

    assert time.monotonic() - started < 20


def test_timeouts_of_the_url_win(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def record(options: dict[str, Any]) -> None:
        seen.update(options)
        raise pymysql.OperationalError(2003, "no server in this test")

    monkeypatch.setattr("e2edebug_schema.server_session.open_pymysql", record)
    engine = create_store_engine("mysql://user:secret@host/db?read_timeout=60", connect_timeout_s=1.5)
    with pytest.raises(sa.exc.OperationalError):
        engine.connect()

    assert (seen["connect_timeout"], seen["read_timeout"], seen["write_timeout"]) == (1.5, 60, 10)


def test_a_sqlite_file_is_in_wal_mode_with_a_busy_timeout(tmp_path: Path) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")

    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    engine.dispose()

    assert found == ["wal", 1, 5000]


def test_a_reader_of_sqlite_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    writer, reader = create_store_engine(url), create_store_engine(url + "?timeout=0")

    with writer.begin() as writing:
        writing.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        with reader.connect().execution_options(**{READ_ONLY_OPTION: True}) as reading:
            tables = reading.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        with pytest.raises(sa.exc.OperationalError, match="database is locked"):
            reader.connect().exec_driver_sql("SELECT 1")
    writer.dispose()
    reader.dispose()

    assert tables == 0


_COUNT_UP = """
import sys
from e2edebug_schema.engine import create_store_engine
engine = create_store_engine(sys.argv[1])
for _ in range(50):
    with engine.begin() as connection:
        n = connection.exec_driver_sql("SELECT v FROM t WHERE n = 1").scalar_one()
        connection.exec_driver_sql(f"UPDATE t SET v = {n + 1} WHERE n = 1")
"""


def test_processes_that_read_and_then_write_one_sqlite_file_never_find_it_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    engine = create_store_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY, v INTEGER)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1, 0)")

    processes = [subprocess.Popen([sys.executable, "-c", _COUNT_UP, url]) for _ in range(4)]
    codes = [process.wait(timeout=180) for process in processes]

    with engine.connect() as connection:
        assert (codes, connection.exec_driver_sql("SELECT v FROM t").scalar_one()) == ([0] * 4, 200)
    engine.dispose()


def test_many_first_connections_to_one_sqlite_file_all_succeed(tmp_path: Path) -> None:
    """Switching to WAL mode fails at once while another connection does it."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    together, failures = threading.Barrier(8), []

    def connect() -> None:
        engine = create_store_engine(url)
        together.wait()
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (n INTEGER)")
        except sa.exc.OperationalError as error:
            failures.append(error)
        engine.dispose()

    threads = [threading.Thread(target=connect) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_every_error_of_the_store_is_a_store_error() -> None:
    assert issubclass(StoreUrlError, StoreError)
    assert issubclass(UnsupportedServer, StoreError)
