"""Reading queries end on the server when their reader has stopped waiting."""

import time
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import READ_ONLY_OPTION, create_store_engine
from e2edebug_schema.read_limits import limited_statement

# Some thousand columns to the fourth power: no server ends this by itself while we look.
SLOW = "SELECT COUNT(*) FROM information_schema.columns AS a " + "".join(
    f"JOIN information_schema.columns AS {name} " for name in "bcd"
)


def test_mysql_takes_its_limit_as_a_hint_of_the_first_select() -> None:
    assert limited_statement("SELECT 1", limit_s=9, is_mariadb=False) == "SELECT /*+ MAX_EXECUTION_TIME(9000) */ 1"


def test_mariadb_takes_its_limit_before_the_statement() -> None:
    limited = limited_statement("WITH t AS (SELECT 1) SELECT * FROM t", limit_s=0.5, is_mariadb=True)

    assert limited == "SET STATEMENT max_statement_time=0.500 FOR WITH t AS (SELECT 1) SELECT * FROM t"


@pytest.mark.parametrize("is_mariadb", [True, False])
@pytest.mark.parametrize("statement", ["INSERT INTO t SELECT 1", "UPDATE t SET selected = 1", "SHOW TABLES", ""])
def test_what_does_more_than_read_is_left_as_it_is(statement: str, is_mariadb: bool) -> None:
    assert limited_statement(statement, limit_s=1, is_mariadb=is_mariadb) == statement


def test_a_runaway_query_is_ended_by_the_server_before_the_driver_gives_up(mariadb_server: Any) -> None:
    """The connection stays usable, and nothing goes on running behind it."""
    url = mariadb_server.create_database()
    engine = create_store_engine(url, read_timeout_s=1)

    started = time.monotonic()
    with engine.connect().execution_options(**{READ_ONLY_OPTION: True}) as connection:
        with pytest.raises(sa.exc.OperationalError, match=r"max_statement_time|maximum statement execution time"):
            connection.exec_driver_sql(SLOW)
        assert connection.exec_driver_sql("WITH t AS (SELECT 1 AS n) SELECT n FROM t").scalar_one() == 1
    engine.dispose()
    mariadb_server.drop_database(url)

    assert time.monotonic() - started < 10


def test_a_writing_connection_has_no_limit_but_the_drivers(engine: sa.Engine) -> None:
    seen = []
    sa.event.listen(engine, "after_cursor_execute", lambda *event: seen.append(event[2]))

    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT 1")

    assert seen[-1] == "SELECT 1"
