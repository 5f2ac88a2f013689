"""SQLAlchemy's statements, transactions and connections as spans, on SQLite and MariaDB."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from instrumentation.database.recorded_spans import Recording, names
from opentelemetry.instrumentation.utils import suppress_instrumentation

from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor
from e2edebug_instrumentation.database.sqlalchemy_engine import SQLAlchemyEngineInstrumentor
from e2edebug_schema.engine import create_store_engine

Instrument = Callable[..., Any]
HERE = Path(__file__).name


@pytest.fixture
def host_engine(empty_store_url: str) -> Iterator[sa.Engine]:
    """An engine of the application's, made before any instrumentation, on a table `item` with one row."""
    engine = sa.create_engine(empty_store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(50))"))
        connection.execute(sa.text("INSERT INTO item VALUES (1, 'hunter2')"))
    yield engine
    engine.dispose()


def system(engine: sa.Engine) -> str:
    return "sqlite" if engine.dialect.name == "sqlite" else "mariadb"


def test_a_statement_is_a_span_between_those_of_its_transaction(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.begin() as connection:
        connection.execute(sa.text("SELECT name FROM item WHERE name = 'hunter2'")).all()
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr] # CPython has frames

    found = recording.take()
    select = found[1]["attributes"]
    assert [name.partition(" ")[0] for name in names(found)] == ["BEGIN", "SELECT", "COMMIT"]
    assert select["db.query.text"] == "SELECT name FROM item WHERE name = ?"
    assert select["db.collection.name"] == select["e2edebug.component"] == "item"
    assert select["db.system.name"] == system(host_engine)
    assert select["code.file.path"].endswith(HERE)
    assert select["code.line.number"] == line
    assert select.get("db.response.returned_rows") == (None if system(host_engine) == "sqlite" else 1)
    assert found[1]["kind"] == "CLIENT"


def test_engines_made_later_are_traced_with_their_connecting(
    empty_store_url: str, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)
    engine = sa.create_engine(empty_store_url)

    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))

    engine.dispose()
    assert names(recording.take())[0].startswith("CONNECT ")


def test_several_rows_of_parameters_are_one_span_with_their_number(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO item VALUES (:id, :name)"), [{"id": n, "name": "x"} for n in (2, 3, 4)])

    (insert,) = [span for span in recording.take() if span["name"] == "INSERT item"]
    assert insert["attributes"]["db.operation.batch.size"] == 3
    assert insert["attributes"]["e2edebug.db.affected_rows"] == 3


def test_savepoints_and_rollbacks_are_visible(host_engine: sa.Engine, recording: Recording, instrument: Instrument):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.connect() as connection:
        with connection.begin_nested():
            pass
        connection.rollback()

    verbs = [span["attributes"]["db.operation.name"] for span in recording.take()]
    assert verbs == ["BEGIN", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK"]


def test_a_failed_statement_is_recorded_once_without_its_parameters(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)
    row = {"name": "hunter2"}

    with host_engine.connect() as connection, pytest.raises(sa.exc.IntegrityError, match="hunter2"):
        connection.execute(sa.text("INSERT INTO item VALUES (1, :name)"), row)

    (failed,) = [span for span in recording.take() if span["status"] == "ERROR"]
    (event,) = failed["events"]
    expected = "SQLITE_CONSTRAINT_PRIMARYKEY" if system(host_engine) == "sqlite" else "1062"
    assert failed["attributes"]["db.response.status_code"] == expected
    assert event["exception.type"] == "sqlalchemy.exc.IntegrityError"
    assert "do_execute" in event["exception.stacktrace"]
    assert "hunter2" not in str(failed)


def read_orders(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT nothing FROM orders"))


def test_the_stack_of_a_failed_statement_begins_where_the_application_called(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        read_orders(connection)

    (failed,) = [span for span in recording.take() if span["status"] == "ERROR"]
    stack = failed["events"][0]["exception.stacktrace"]
    assert stack.index("in read_orders") < stack.rindex("in do_execute")
    assert "wrapt" not in stack


def test_a_failing_statement_of_a_megabyte_is_read_in_part(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text(f"SELECT nothing FROM orders WHERE id IN ({'7654321, ' * 100_000}1)"))

    (failed,) = [span for span in recording.take() if span["status"] == "ERROR"]
    (event,) = failed["events"]
    assert len(event["exception.message"]) <= 10_000
    assert len(event["exception.stacktrace"]) <= 65_536
    assert "7654321" not in str(failed)
    assert "in do_execute" in event["exception.stacktrace"]


def test_after_a_failure_the_next_statement_is_traced(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)
    with host_engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("SELECT nothing FROM nowhere"))
    recording.take()

    with host_engine.connect() as connection:
        connection.execute(sa.text("SELECT 1 FROM item"))

    assert "SELECT item" in names(recording.take())


def test_a_listener_of_the_application_that_raises_leaves_no_span_open(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    @sa.event.listens_for(host_engine, "before_cursor_execute")
    def refuse(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "refused" in statement:
            raise ValueError("not today")

    with host_engine.connect() as connection:
        with pytest.raises(ValueError, match="not today"):
            connection.execute(sa.text("SELECT 1 AS refused"))
        connection.execute(sa.text("SELECT 1 FROM item"))

    found = {span["name"]: span["status"] for span in recording.take() if span["name"].startswith("SELECT")}
    assert list(found.values()) == ["ERROR", "UNSET"]


def test_the_drivers_own_instrumentation_does_not_double_a_query(
    empty_store_url: str, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)
    instrument(DbApiInstrumentor)
    engine = sa.create_engine(empty_store_url)

    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1 AS marked"))

    engine.dispose()
    marked = [span for span in recording.take() if "marked" in span["attributes"].get("db.query.text", "")]
    assert len(marked) == 1


def test_a_connection_made_by_a_creator_is_not_doubled_either(
    empty_store_url: str, recording: Recording, instrument: Instrument
):
    """SQLAlchemy does not connect then, so the driver's connection is traced as well."""
    instrument(SQLAlchemyEngineInstrumentor)
    instrument(DbApiInstrumentor)
    url = sa.make_url(empty_store_url)
    dialect = url.get_dialect()()
    dialect.dbapi = url.get_dialect().import_dbapi()
    args, kwargs = dialect.create_connect_args(url)
    engine = sa.create_engine(url, creator=lambda: dialect.dbapi.connect(*args, **kwargs))  # type: ignore[union-attr] # set above

    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1 AS marked"))

    engine.dispose()
    marked = [span for span in recording.take() if "marked" in span["attributes"].get("db.query.text", "")]
    assert len(marked) == 1


def test_the_store_of_e2edebug_is_never_traced(empty_store_url: str, recording: Recording, instrument: Instrument):
    instrument(SQLAlchemyEngineInstrumentor)
    instrument(DbApiInstrumentor)
    engine = create_store_engine(empty_store_url)

    with engine.begin() as connection:
        connection.execute(sa.text("SELECT 1"))

    engine.dispose()
    assert recording.take() == []


def test_suppressed_instrumentation_makes_no_span(host_engine: sa.Engine, recording: Recording, instrument: Instrument):
    instrument(SQLAlchemyEngineInstrumentor)

    with suppress_instrumentation(), host_engine.begin() as connection:
        connection.execute(sa.text("SELECT 1"))

    assert recording.take() == []


def test_in_autocommit_mode_there_is_no_begin_and_no_commit(
    host_engine: sa.Engine, recording: Recording, instrument: Instrument
):
    instrument(SQLAlchemyEngineInstrumentor)

    with host_engine.execution_options(isolation_level="AUTOCOMMIT").begin() as connection:
        connection.execute(sa.text("SELECT 1 FROM item"))

    assert "SELECT item" in (found := names(recording.take()))
    assert not [name for name in found if name.startswith(("BEGIN", "COMMIT"))]


def test_it_can_be_switched_off_and_on_again(host_engine: sa.Engine, recording: Recording, instrument: Instrument):
    def query() -> list[str]:
        with host_engine.connect() as connection:
            connection.execute(sa.text("SELECT 1 FROM item"))
        return [name for name in names(recording.take()) if name.startswith("SELECT")]

    instrumentor = instrument(SQLAlchemyEngineInstrumentor)
    first = query()
    instrumentor.uninstrument()
    second = query()
    instrumentor.instrument(tracer_provider=recording.provider)
    third = query()

    assert (first, second, third) == (["SELECT item"], [], ["SELECT item"])


def test_an_async_engine_is_traced_through_its_synchronous_one(
    tmp_path: Path, recording: Recording, instrument: Instrument
):
    pytest.importorskip("greenlet", reason="SQLAlchemy's asyncio needs greenlet")
    pytest.importorskip("aiosqlite", reason="an async driver")
    from sqlalchemy.ext.asyncio import create_async_engine

    instrument(SQLAlchemyEngineInstrumentor)
    instrument(DbApiInstrumentor)

    async def work() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite3'}")
        async with engine.begin() as connection:
            await connection.execute(sa.text("SELECT 1 AS marked"))
        await engine.dispose()

    asyncio.run(work())

    marked = [span for span in recording.take() if "marked" in span["attributes"].get("db.query.text", "")]
    assert len(marked) == 1
