"""`e2edebug spool`: what a user sees of rows that wait on disk, on every dialect of the store."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cli.command import CommandLine, run_process

from e2edebug.policy.config import load_config
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.spool.opening import spool_of
from e2edebug_exporters.spool.spool import Spool
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.engine import create_store_engine

from ..exporters.spool.batches import batch, flip_byte
from ..exporters.writing.rows_by_hand import count


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("E2EDEBUG_SPOOL_DIR", str(tmp_path / "spools"))
    return tmp_path / "spools"


@pytest.fixture
def url(store_url: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The migrated store of the settings."""
    monkeypatch.setenv("E2EDEBUG_DATABASE_URL", store_url)
    return store_url


def process_with_rows(url: str, numbers: range, *, service: str = "shop") -> Spool:
    """Return the spool of a process that has put batches on disk, five rows each, and lives."""
    config = load_config({"service_name": service, "spool_dir": os.environ["E2EDEBUG_SPOOL_DIR"]}, environ={})
    spool = spool_of(config, StoreConnection.of(url, config), Ledger())
    assert spool is not None
    for number in numbers:
        spool.append(batch(number))
    return spool


def parsed(text: str) -> Any:
    return json.loads(text)


def test_status_says_that_nothing_waits(e2edebug: CommandLine, url: str) -> None:
    outcome = e2edebug("spool", "status")

    assert outcome.code == 0
    assert "nothing waits" in outcome.out
    assert "512 MiB" in outcome.out


def test_status_shows_what_waits_for_which_service_and_who_will_send_it(e2edebug: CommandLine, url: str) -> None:
    process_with_rows(url, range(2)).close()
    alive = process_with_rows(url, range(2, 3))
    process_with_rows("sqlite:////nowhere/other.sqlite3", range(1), service="bank").close()

    outcome = e2edebug("spool", "status")
    told = parsed(e2edebug("spool", "status", "--json").out)
    alive.close()

    assert outcome.code == 0
    assert "15 rows in 2 files" in outcome.out
    assert f"5 rows held by the running process {os.getpid()}, which will send them" in outcome.out
    assert "to send the others now: " in outcome.out
    assert "to send them now: " in e2edebug("spool", "status").out  # nobody else does any more
    assert "(another store)" in outcome.out
    assert told["spooled"] == 15
    here = next(one for one in told["folders"] if one["is_this_store"])
    assert (here["service"], here["rows"], here["held_rows"], here["frames"]) == ("shop", 15, 5, 3)


def test_replay_stores_what_waits_for_this_store_and_leaves_nothing(
    e2edebug: CommandLine, url: str, root: Path
) -> None:
    process_with_rows(url, range(3)).close()
    process_with_rows(url, range(3, 4), service="bank").close()
    process_with_rows("sqlite:////nowhere/other.sqlite3", range(1)).close()

    outcome = e2edebug("spool", "replay")

    engine = create_store_engine(url)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("20 rows stored in ")
    assert count(engine, "debugging_trace_step") == 12
    assert len(list(root.rglob("*.frames"))) == 1
    assert e2edebug("spool", "replay").out == "nothing waited that could be sent\n"
    engine.dispose()


def test_replay_counts_what_was_there_already(e2edebug: CommandLine, url: str) -> None:
    for _ in range(2):
        process_with_rows(url, range(1)).close()
        outcome = e2edebug("spool", "replay", "--json")

    assert parsed(outcome.out)["replayed"] == {"stored": 0, "already_there": 5, "dropped": 0}


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_replay_tells_of_damage_with_its_exit_code(e2edebug: CommandLine, url: str, root: Path) -> None:
    process_with_rows(url, range(2)).close()
    (path,) = root.rglob("*.frames")
    flip_byte(path, 40)

    outcome = e2edebug("spool", "replay")

    assert outcome.code == 1
    assert "5 rows stored in " in outcome.out
    assert "5 rows lost, 1 damaged frame" in outcome.out


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_named_folder_may_go_into_this_store(e2edebug: CommandLine, url: str, root: Path) -> None:
    """After the database has moved to another host, say."""
    process_with_rows("sqlite:////nowhere/other.sqlite3", range(1)).close()
    (folder,) = root.iterdir()

    outcome = e2edebug("spool", "replay", "--folder", folder.name)

    assert outcome.out.startswith("5 rows stored in ")
    wrong = e2edebug("spool", "replay", "--folder", "shop")
    assert (wrong.code, wrong.out) == (2, "")
    assert folder.name in wrong.err


def test_replay_without_a_store_says_so_and_keeps_everything(e2edebug: CommandLine, root: Path) -> None:
    url = "mysql+pymysql://nobody@127.0.0.1:1/nothing"
    process_with_rows(url, range(1)).close()

    outcome = e2edebug("spool", "replay", "--database", url)

    assert (outcome.code, outcome.out) == (3, "")
    assert "gives no answer" in outcome.err
    assert len(list(root.rglob("*.frames"))) == 1


def test_replay_into_a_store_without_tables_names_the_command(
    e2edebug: CommandLine, root: Path, empty_store_url: str
) -> None:
    process_with_rows(empty_store_url, range(1)).close()

    outcome = e2edebug("spool", "replay", "--database", empty_store_url)

    assert outcome.code == 3
    assert "e2edebug migrate" in outcome.err
    assert len(list(root.rglob("*.frames"))) == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_discard_wants_to_be_told_twice(e2edebug: CommandLine, url: str, root: Path) -> None:
    process_with_rows(url, range(2)).close()
    alive = process_with_rows(url, range(2, 3))

    refused = run_process("spool", "discard", cwd=Path.cwd(), environ=dict(os.environ))
    outcome = e2edebug("spool", "discard", "--yes")
    left = len(list(root.rglob("*.frames")))
    alive.close()

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "10 rows would be deleted for good: say so with --yes" in refused.stderr
    assert outcome.code == 0
    assert outcome.out.startswith("10 rows in 1 file deleted\n5 rows held by the running process")
    assert left == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_discard_of_nothing_is_no_error(e2edebug: CommandLine, url: str) -> None:
    assert e2edebug("spool", "discard").out == "there was nothing to delete\n"


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_stored_text_of_a_folder_cannot_act_on_the_terminal(e2edebug: CommandLine, url: str, root: Path) -> None:
    process_with_rows(url, range(1)).close()
    (about,) = root.rglob("about.json")
    about.write_text(json.dumps({"service": "\x1b[31mshop", "database": "\x1b[2J"}))

    assert "\x1b" not in e2edebug("spool", "status").out


def test_books_of_a_replay_match_the_store(e2edebug: CommandLine, url: str) -> None:
    process_with_rows(url, range(4)).close()
    told = parsed(e2edebug("spool", "replay", "--json").out)

    engine = create_store_engine(url)
    tables = ("debugging_trace_step", "debugging_error_log", "debugging_performance_snapshot")
    assert told["replayed"]["stored"] == sum(count(engine, table) for table in tables) == 20
    with engine.connect() as connection:
        counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one()
    assert int(counted) == 12
    engine.dispose()


def test_a_url_whose_driver_is_not_installed_is_a_wrong_setting(e2edebug: CommandLine, root: Path) -> None:
    outcome = e2edebug("spool", "status", "--database", "mysql+mysqldb://u:secret@db/telemetry")

    assert (outcome.code, outcome.out) == (2, "")
    assert "is not installed" in outcome.err
    assert "secret" not in outcome.err
