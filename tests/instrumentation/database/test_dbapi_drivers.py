"""Drivers that an application uses directly: PyMySQL on MariaDB, sqlite3."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pymysql.cursors
import pytest
import sqlalchemy as sa
from instrumentation.database.recorded_spans import Recording, names
from opentelemetry.instrumentation.utils import suppress_instrumentation

from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor

Instrument = Callable[..., Any]


@pytest.fixture
def connect(empty_store_url: str, dialect: str) -> Iterator[Callable[[], Any]]:
    """Open a connection as an application does: through the function that its driver offers at that time."""
    url = sa.make_url(empty_store_url)
    opened: list[Any] = []

    def open_connection() -> Any:
        if dialect == "sqlite":
            connection = sqlite3.connect(str(url.database))
        else:
            connection = pymysql.connect(
                host=url.host,
                port=url.port or 3306,
                user=url.username,
                password=str(url.password),
                database=url.database,
            )
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        with suppress(pymysql.err.Error):  # PyMySQL's refuses to be closed twice
            connection.close()


def verbs(recording: Recording) -> list[str]:
    return [span["attributes"]["db.operation.name"] for span in recording.take()]


def test_connecting_queries_and_commits_are_spans(
    connect: Callable[[], Any], dialect: str, recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)

    connection = connect()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE item (id INTEGER, name VARCHAR(20))")
    cursor.execute("INSERT INTO item VALUES (1, 'hunter2')")
    connection.commit()
    cursor.execute("SELECT name FROM item WHERE name = 'hunter2'")
    rows = list(cursor.fetchall())

    found = recording.take()
    select = found[-1]["attributes"]
    assert rows == [("hunter2",)]
    assert [span["attributes"]["db.operation.name"] for span in found] == [
        "CONNECT",
        "CREATE",
        "INSERT",
        "COMMIT",
        "SELECT",
    ]
    assert found[2]["attributes"]["e2edebug.db.affected_rows"] == 1
    assert select["db.query.text"] == "SELECT name FROM item WHERE name = ?"
    assert select["db.system.name"] == ("sqlite" if dialect == "sqlite" else "mariadb")
    assert select["db.namespace"]
    assert select["code.file.path"].endswith(Path(__file__).name)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize("sql", ["/* nothing else */", "-- nothing\n"])
def test_sql_without_a_word_does_what_the_driver_does_with_it(
    sql: str, connect: Callable[[], Any], recording: Recording, instrument: Instrument
):
    """opentelemetry-instrumentation-dbapi 0.66b raises IndexError into the application here."""

    def outcome() -> Any:
        try:
            return connect().cursor().execute(sql) is not None
        except (sqlite3.Error, pymysql.err.Error) as error:
            return repr(error)

    plain = outcome()
    instrument(DbApiInstrumentor)

    assert outcome() == plain
    assert verbs(recording) == ["CONNECT", "QUERY"]


def test_a_failed_query_has_the_number_of_the_server(
    connect: Callable[[], Any], dialect: str, recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)

    with pytest.raises((sqlite3.OperationalError, pymysql.err.ProgrammingError)):
        connect().cursor().execute("SELECT * FROM missing WHERE a = 'hunter2'")

    failed = recording.take()[-1]
    assert failed["status"] == "ERROR"
    assert failed["attributes"]["db.response.status_code"] == ("SQLITE_ERROR" if dialect == "sqlite" else "1146")
    assert len(failed["events"]) == 1
    assert "hunter2" not in str(failed)


def test_executemany_tells_the_size_of_the_batch(
    connect: Callable[[], Any], dialect: str, recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)
    cursor = connect().cursor()
    cursor.execute("CREATE TABLE item (id INTEGER)")
    recording.take()

    cursor.executemany(f"INSERT INTO item VALUES ({'?' if dialect == 'sqlite' else '%s'})", [(1,), (2,), (3,)])

    (span,) = recording.take()
    assert span["attributes"]["db.operation.batch.size"] == 3
    assert span["attributes"]["e2edebug.db.affected_rows"] == 3


def test_a_procedure_call_is_a_call(mariadb_server: Any, recording: Recording, instrument: Instrument):
    url = sa.make_url(mariadb_server.create_database())
    instrument(DbApiInstrumentor)
    connection = mariadb_server.root()
    connection.select_db(url.database)
    cursor = connection.cursor()
    cursor.execute("CREATE PROCEDURE greet(IN name VARCHAR(20)) SELECT name")
    recording.take()

    cursor.callproc("greet", ("hunter2",))

    found = recording.take()
    connection.close()
    mariadb_server.drop_database(url.render_as_string(hide_password=False))
    assert names(found) == ["CALL greet"]
    assert "hunter2" not in str(found)


def test_suppressed_instrumentation_makes_no_span(
    connect: Callable[[], Any], recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)

    with suppress_instrumentation():
        connect().cursor().execute("SELECT 1")

    assert recording.take() == []


def test_a_connection_stays_usable_and_silent_after_switching_off(
    connect: Callable[[], Any], recording: Recording, instrument: Instrument
):
    instrumentor = instrument(DbApiInstrumentor)
    connection = connect()
    instrumentor.uninstrument()
    recording.take()

    connection.cursor().execute("SELECT 1")
    connect().cursor().execute("SELECT 1")

    assert recording.take() == []
    assert not hasattr(sqlite3.connect, "__wrapped__")
    assert not hasattr(pymysql.connect, "__wrapped__")


def test_the_connection_as_a_context_manager_still_closes_or_commits(
    connect: Callable[[], Any], dialect: str, recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)

    with connect() as connection:
        connection.cursor().execute("CREATE TABLE item (id INTEGER)")
        connection.cursor().execute("INSERT INTO item VALUES (1)")

    assert connect().cursor().execute("SELECT * FROM item") is not None
    if dialect == "sqlite":
        assert "COMMIT" in verbs(recording)


def test_sqlite_objects_are_of_the_types_that_its_functions_demand(
    tmp_path: Path, recording: Recording, instrument: Instrument
):
    instrument(DbApiInstrumentor)

    class Counting(sqlite3.Connection):
        pass

    source = sqlite3.connect(tmp_path / "a.sqlite3", factory=Counting)
    target = sqlite3.connect(tmp_path / "b.sqlite3", 5.0, 0, "DEFERRED", True, Counting)
    source.execute("CREATE TABLE item (id INTEGER)")
    source.executemany("INSERT INTO item VALUES (?)", [(1,), (2,)])
    source.executescript("INSERT INTO item VALUES (3);")
    source.backup(target)
    rows = target.execute("SELECT COUNT(*) FROM item").fetchone()
    plain_cursor = sqlite3.Cursor(source)

    assert rows == (3,)
    assert isinstance(source, Counting)
    assert plain_cursor.connection is source
    found = verbs(recording)
    assert found == ["CONNECT", "CONNECT", "CREATE", "INSERT", "INSERT", "SELECT"]
    source.close()
    target.close()


def test_another_cursor_class_of_pymysql_is_traced(mariadb_server: Any, recording: Recording, instrument: Instrument):
    instrument(DbApiInstrumentor)
    url = sa.make_url(mariadb_server.create_database())
    connection = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=str(url.password), database=url.database
    )
    recording.take()

    with connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SELECT 1 AS one")
        rows = list(cursor)

    connection.close()
    assert rows == [{"one": 1}]
    assert verbs(recording) == ["SELECT"]
    mariadb_server.drop_database(url.render_as_string(hide_password=False))
