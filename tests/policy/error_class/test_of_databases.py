"""Classes of errors that a real server, a real SQLite file and a real pool raise."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from policy.error_class.recorded import advice_about, raised_by
from support.mariadb import free_port


class Accounts:
    """A table of two rows, and as many connections to it as a test wants."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self._open: list[Any] = []
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE account (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL, owner INT NULL,"
                " UNIQUE KEY uq_name (name), CONSTRAINT fk_owner FOREIGN KEY (owner) REFERENCES account (id),"
                " CONSTRAINT ck_id CHECK (id > 0)) ENGINE=InnoDB"
            )
            cursor.execute("INSERT INTO account (id, name) VALUES (1, 'ann'), (2, 'bob')")
            connection.commit()

    def connect(self, **changes: Any) -> Any:
        options: dict[str, Any] = {
            "host": self.url.host, "port": self.url.port, "user": self.url.username, "password": self.url.password or "",
            "database": self.url.database,
        }  # fmt: skip
        connection = pymysql.connect(**(options | changes))
        self._open.append(connection)
        return connection

    def run(self, *statements: str) -> None:
        with self.connect().cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def close(self) -> None:
        for connection in self._open:
            with contextlib.suppress(pymysql.Error):
                connection.close()


@pytest.fixture
def accounts(mariadb_server: Any) -> Iterator[Accounts]:
    url = mariadb_server.create_database()
    accounts = Accounts(sa.make_url(url))
    yield accounts
    accounts.close()
    mariadb_server.drop_database(url)


def test_a_deadlock(accounts: Accounts) -> None:
    first, second = accounts.connect().cursor(), accounts.connect().cursor()
    first.execute("UPDATE account SET owner = NULL WHERE id = 1")
    second.execute("UPDATE account SET owner = NULL WHERE id = 2")
    found: list[Exception] = []

    def wait_for_the_second() -> None:
        with contextlib.suppress(pymysql.Error):
            try:
                first.execute("UPDATE account SET owner = NULL WHERE id = 2")
            except pymysql.Error as error:
                found.append(error)

    waiting = threading.Thread(target=wait_for_the_second)
    waiting.start()
    try:
        second.execute("UPDATE account SET owner = NULL WHERE id = 1")
    except pymysql.Error as error:
        found.append(error)
    second.connection.rollback()
    waiting.join(30)

    (error,) = found
    advice = advice_about(error)
    assert (advice.error_class, error.args[0]) == ("database.deadlock", 1213)
    assert "run it again from its beginning" in advice.suggestion


@pytest.mark.parametrize("how", ["", "NOWAIT"])
def test_a_lock_that_somebody_else_holds(accounts: Accounts, how: str) -> None:
    holder = accounts.connect().cursor()
    holder.execute("SELECT * FROM account WHERE id = 1 FOR UPDATE")

    error = raised_by(
        lambda: accounts.run("SET innodb_lock_wait_timeout = 1", f"SELECT * FROM account WHERE id = 1 FOR UPDATE {how}")
    )

    advice = advice_about(error)
    assert advice.error_class == "database.lock_wait"
    assert "information_schema.innodb_trx" in advice.suggestion


def test_a_locked_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite3"
    holder, other = sqlite3.connect(path, isolation_level=None), sqlite3.connect(path, timeout=0)
    holder.execute("CREATE TABLE cart (id INTEGER)")
    holder.execute("BEGIN IMMEDIATE")

    advice = advice_about(raised_by(lambda: other.execute("INSERT INTO cart VALUES (1)")))
    holder.close()
    other.close()

    assert advice.error_class == "database.lock_wait"
    assert "takes one writer at a time" in advice.suggestion


@pytest.mark.parametrize(
    ("change", "number", "said"),
    [
        ({"password": "wrong"}, 1045, "refused the login"),
        ({"database": "nowhere"}, 1044, "refused the login"),
        ({"port": 0}, 2003, "cannot be reached"),
    ],
)
def test_a_connection_that_does_not_come_about(
    accounts: Accounts, mariadb_server: Any, change: dict[str, Any], number: int, said: str
) -> None:
    if "port" in change:
        change = {"port": free_port()}
    if "database" in change:
        with mariadb_server.root() as root, root.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE USER guest IDENTIFIED BY 'guest'")
        change |= {"user": "guest", "password": "guest"}

    error = raised_by(lambda: accounts.connect(**change))

    advice = advice_about(error)
    assert (error.args[0], advice.error_class) == (number, "database.connection")
    assert said in advice.suggestion


def test_a_connection_that_was_killed(accounts: Accounts, mariadb_server: Any) -> None:
    victim = accounts.connect()
    with mariadb_server.root() as root, root.cursor() as cursor:
        cursor.execute(f"KILL {victim.thread_id()}")

    advice = advice_about(raised_by(lambda: victim.cursor().execute("SELECT 1")))

    assert advice.error_class == "database.connection"
    assert "closed the connection" in advice.suggestion


def test_a_user_with_too_many_connections(accounts: Accounts, mariadb_server: Any) -> None:
    with mariadb_server.root() as root, root.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE USER crowd IDENTIFIED BY 'crowd' WITH MAX_USER_CONNECTIONS 1")
        cursor.execute(f"GRANT SELECT ON {accounts.url.database}.* TO crowd")
    accounts.connect(user="crowd", password="crowd")

    advice = advice_about(raised_by(lambda: accounts.connect(user="crowd", password="crowd")))

    assert advice.error_class == "database.connection"
    assert "no connection left" in advice.suggestion


def test_a_pool_without_a_free_connection() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect():
        advice = advice_about(raised_by(engine.connect))
    engine.dispose()

    assert advice.error_class == "database.connection"
    assert "connection_pool" in advice.suggestion


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("INSERT INTO account (id, name) VALUES (3, 'ann')", "get_or_create"),
        ("INSERT INTO account (id, name, owner) VALUES (3, 'cat', 99)", "refers to one that is not there"),
        ("INSERT INTO account (id, name) VALUES (3, NULL)", "must have a value"),
        ("INSERT INTO account (id, name) VALUES (3, 'much too long')", "does not fit its column"),
        ("INSERT INTO account (id, name) VALUES (0, 'dan')", "breaks a check"),
    ],
)
def test_a_row_that_breaks_a_rule(accounts: Accounts, statement: str, said: str) -> None:
    advice = advice_about(raised_by(lambda: accounts.run("SET sql_mode = 'STRICT_ALL_TABLES'", statement)))

    assert advice.error_class == "database.constraint"
    assert said in advice.suggestion


def test_a_statement_that_took_too_long(accounts: Accounts) -> None:
    advice = advice_about(
        raised_by(lambda: accounts.run("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(5) FROM account"))
    )

    assert advice.error_class == "timeout"
    assert "EXPLAIN" in advice.suggestion


def test_a_table_that_no_migration_has_made(accounts: Accounts) -> None:
    for statement in ("SELECT * FROM nothing", "SELECT nothing FROM account"):
        advice = advice_about(raised_by(lambda sql=statement: accounts.run(sql)))

        assert advice.error_class == "configuration"
        assert "manage.py migrate" in advice.suggestion


def test_a_database_user_without_the_privilege(accounts: Accounts, mariadb_server: Any) -> None:
    with mariadb_server.root() as root, root.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE USER reader IDENTIFIED BY 'reader'")
        cursor.execute(f"GRANT SELECT ON {accounts.url.database}.* TO reader")
    reader = accounts.connect(user="reader", password="reader")

    advice = advice_about(raised_by(lambda: reader.cursor().execute("DELETE FROM account")))

    assert advice.error_class == "permission"
    assert "SHOW GRANTS" in advice.suggestion


def test_an_error_of_the_application_has_the_class_of_what_it_was_raised_from(accounts: Accounts) -> None:
    def order() -> None:
        try:
            accounts.run("INSERT INTO account (id, name) VALUES (3, 'ann')")
        except pymysql.Error as error:
            raise RuntimeError("the order could not be saved") from error

    advice = advice_about(raised_by(order))

    assert advice.error_class == "database.constraint"
    assert advice.suggestion.endswith("in order.")


def test_sqlalchemys_wrapping_changes_nothing(accounts: Accounts) -> None:
    engine = sa.create_engine(accounts.url.set(drivername="mysql+pymysql"))

    def insert() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO account (id, name) VALUES (3, 'ann')"))

    advice = advice_about(raised_by(insert))
    engine.dispose()

    assert advice.error_class == "database.constraint"
