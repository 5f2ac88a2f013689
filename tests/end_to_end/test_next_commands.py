"""The lines that the demo prints for pasting."""

from pathlib import Path

import pytest
from end_to_end.shop_run import next_commands

MYSQL = "mysql+pymysql://tester:se%26cret@127.0.0.1:3307/shop"


def test_a_password_is_left_out_and_asked_for() -> None:
    line = next_commands.export("E2EDEBUG_DATABASE_URL", MYSQL)

    assert line == "export E2EDEBUG_DATABASE_URL='mysql+pymysql://tester:<password>@127.0.0.1:3307/shop'"
    assert next_commands.what_to_fill_in(MYSQL) == " (with your password)"


def test_a_url_without_a_password_is_printed_as_it_is() -> None:
    url = "mysql+pymysql://tester@127.0.0.1:3307/shop"

    assert next_commands.export("DATABASE_URL", url) == f"export DATABASE_URL={url}"
    assert next_commands.what_to_fill_in(url) == ""


def test_a_file_below_the_current_directory_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    url = f"sqlite:///{tmp_path}/my shop/store.sqlite3"

    assert next_commands.export("DATABASE_URL", url) == "export DATABASE_URL='sqlite:///my shop/store.sqlite3'"
    assert next_commands.database_client(url) == "sqlite3 'my shop/store.sqlite3'"


def test_the_mysql_client_asks_for_the_password_itself() -> None:
    command = "mysql --host=127.0.0.1 --port=3307 --user=tester --password shop"

    assert next_commands.database_client(MYSQL) == command


def test_the_program_is_the_one_of_the_environment_that_runs_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv" / "bin" / "python"))

    assert next_commands.show("an-id") == ".venv/bin/e2edebug show an-id"
