"""`e2edebug migrate` from an empty database to a store, and what it says of databases that are none."""

import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from cli.command import CommandLine, run_process

from e2edebug_schema.engine import create_store_engine


def test_an_empty_database_becomes_a_store_and_stays_one(empty_store_url: str, e2edebug: CommandLine) -> None:
    option = ("--database", empty_store_url)

    before, first, again, after = (
        e2edebug("migrate", "--check", *option),
        e2edebug("migrate", *option),
        e2edebug("migrate", *option),
        e2edebug("migrate", "--check", *option),
    )

    assert (before.code, first.code, again.code, after.code) == (1, 0, 0, 0)
    assert before.out.startswith("absent: ")
    assert first.out.splitlines()[0].startswith("applied 0001")
    assert again.out.startswith("already up to date: ")
    assert after.out.startswith("up to date: ")


def test_the_state_is_there_as_json(empty_store_url: str, e2edebug: CommandLine) -> None:
    absent = json.loads(e2edebug("migrate", "--check", "--json", "--database", empty_store_url).out)
    migrated = json.loads(e2edebug("migrate", "--json", "--database", empty_store_url).out)

    assert (absent["state"], absent["applied"]) == ("absent", [])
    assert migrated["state"] == "current"
    assert migrated["applied"][0].startswith("0001")


def test_checking_a_file_that_is_not_there_does_not_make_it(e2edebug: CommandLine) -> None:
    outcome = e2edebug("migrate", "--check", "--database", "sqlite:///none.sqlite3")

    assert (outcome.code, list(Path().iterdir())) == (1, [])
    assert "none.sqlite3 does not exist" in outcome.out


@pytest.mark.parametrize("name", ["mysql", "mariadb", "sqlite"])
def test_the_sql_for_a_database_administrator_is_printed(e2edebug: CommandLine, name: str) -> None:
    outcome = e2edebug("migrate", "--sql", "--dialect", name)

    assert (outcome.code, outcome.err, list(Path().iterdir())) == (0, "", [])
    assert "CREATE TABLE" in outcome.out
    assert ("PARTITION BY" in outcome.out) is (name != "sqlite")


def test_the_sql_is_by_default_for_the_store_that_is_set(e2edebug: CommandLine) -> None:
    assert "PARTITION BY" in e2edebug("migrate", "--sql", "--database", "mariadb+pymysql://u:p@h/d").out
    assert "PARTITION BY" not in e2edebug("migrate", "--sql").out


def test_the_printed_sql_makes_a_store_that_is_up_to_date(e2edebug: CommandLine) -> None:
    text = e2edebug("migrate", "--sql", "--dialect", "sqlite").out
    with sqlite3.connect("by_hand.sqlite3") as connection:
        connection.executescript(text)
    connection.close()

    assert e2edebug("migrate", "--check", "--database", "sqlite:///by_hand.sqlite3").code == 0


@pytest.mark.parametrize("command", [("migrate",), ("sessions",), ("show", "an-id-of-old")])
def test_foreign_tables_of_the_same_name_are_left_alone(
    empty_store_url: str, e2edebug: CommandLine, command: tuple[str, ...]
) -> None:
    engine = create_store_engine(empty_store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE debugging_trace_step (theirs INTEGER)"))
    engine.dispose()

    outcome = e2edebug(*command, "--database", empty_store_url)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)
    assert "not of e2edebug" in outcome.err
    assert e2edebug("migrate", "--check", "--database", empty_store_url).code == 1


@pytest.mark.parametrize("command", [("sessions",), ("show", "some-id")])
def test_reading_a_database_without_our_tables_says_what_to_run(
    empty_store_url: str, e2edebug: CommandLine, command: tuple[str, ...]
) -> None:
    outcome = e2edebug(*command, "--database", empty_store_url)

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)
    assert outcome.err.startswith("e2edebug: no store there yet: ")
    assert "`e2edebug migrate`" in outcome.err


@pytest.mark.parametrize("command", [("sessions",), ("show", "some-id")])
def test_reading_never_creates_a_file(e2edebug: CommandLine, command: tuple[str, ...]) -> None:
    assert e2edebug(*command).code == 3
    assert list(Path().iterdir()) == []


def test_reading_another_programs_sqlite_file_leaves_it_as_it_was(e2edebug: CommandLine) -> None:
    with sqlite3.connect("theirs.sqlite3") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = Path("theirs.sqlite3").read_bytes()

    assert e2edebug("sessions", "--database", "sqlite:///theirs.sqlite3").code == 3
    assert Path("theirs.sqlite3").read_bytes() == before


@pytest.mark.parametrize("command", [("sessions",), ("show", "some-id"), ("migrate",), ("migrate", "--check")])
def test_a_server_that_is_away_is_said_in_one_line_without_the_password(
    e2edebug: CommandLine, command: tuple[str, ...]
) -> None:
    outcome = e2edebug(*command, "--database", "mysql+pymysql://shop:hunter2@127.0.0.1:1/shop")

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)
    assert "Can't connect to MySQL server on '127.0.0.1'" in outcome.err
    assert "hunter2" not in outcome.err


def test_a_file_that_is_no_database_is_said_in_one_line(e2edebug: CommandLine) -> None:
    Path("text.sqlite3").write_text("certainly not a database, but long enough to be read as one" * 20)

    outcome = e2edebug("sessions", "--database", "sqlite:///text.sqlite3")

    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "file is not a database" in outcome.err


def test_a_dialect_without_sql_is_bad_usage(e2edebug: CommandLine) -> None:
    assert e2edebug("migrate", "--dialect", "mysql").code == 2


def test_the_whole_way_in_processes(empty_store_url: str, tmp_path: Path) -> None:
    environ = {"E2EDEBUG_DATABASE_URL": empty_store_url}

    codes = [
        run_process(*argv, cwd=tmp_path, environ=environ).returncode
        for argv in (["migrate", "--check"], ["sessions"], ["migrate"], ["migrate", "--check"], ["sessions"])
    ]

    assert codes == [1, 3, 0, 0, 0]


def test_a_file_may_have_any_name(e2edebug: CommandLine) -> None:
    option = ("--database", "sqlite:///odd # näme.sqlite3")

    assert [e2edebug(*argv, *option).code for argv in (["migrate"], ["migrate", "--check"], ["sessions"])] == [0, 0, 0]
    assert [path.name for path in Path().glob("*.sqlite3")] == ["odd # näme.sqlite3"]
