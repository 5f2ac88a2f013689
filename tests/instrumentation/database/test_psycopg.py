"""psycopg and psycopg2 on a PostgreSQL that E2EDEBUG_TEST_POSTGRESQL names (a libpq connection string); else skipped.

PostgreSQL is no store of e2edebug's and needs no server here, but applications that use it are traced all the same.
"""

import importlib
import os
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording, names

from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor

CONNINFO = os.environ.get("E2EDEBUG_TEST_POSTGRESQL", "")


@pytest.fixture(params=["psycopg", "psycopg2"])
def driver(request: pytest.FixtureRequest) -> Any:
    if not CONNINFO:
        pytest.skip("E2EDEBUG_TEST_POSTGRESQL names no PostgreSQL")
    return pytest.importorskip(request.param)


def test_queries_of_the_driver_are_spans(driver: Any, recording: Recording, instrument: Callable[..., Any]):
    instrument(DbApiInstrumentor)
    composable = importlib.import_module(f"{driver.__name__}.sql")

    with closing(driver.connect(CONNINFO)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMPORARY TABLE item (id integer, name text)")
        cursor.executemany("INSERT INTO item VALUES (%s, %s)", [(1, "hunter2"), (2, "x")])
        cursor.execute(
            composable.SQL("SELECT {} FROM {} WHERE name = {}").format(
                composable.Identifier("id"), composable.Identifier("item"), composable.Literal("hunter2")
            )
        )
        rows = cursor.fetchall()
        with pytest.raises(driver.Error):
            cursor.execute("SELECT * FROM missing")

    found = recording.take()
    assert rows == [(1,)]
    assert [name.partition(" ")[0] for name in names(found)] == ["CONNECT", "CREATE", "INSERT", "SELECT", "SELECT"]
    assert found[3]["attributes"]["db.query.text"] in (
        'SELECT ? FROM "item" WHERE name = ?',
        'SELECT "id" FROM "item" WHERE name = ?',
    )
    assert found[3]["attributes"]["db.collection.name"] == "item"
    assert found[3]["attributes"]["db.response.returned_rows"] == 1
    assert found[3]["attributes"]["db.system.name"] == "postgresql"
    assert found[3]["attributes"]["db.namespace"] == "postgres"
    assert found[4]["attributes"]["db.response.status_code"] == "42P01"
    assert "hunter2" not in str(found)
