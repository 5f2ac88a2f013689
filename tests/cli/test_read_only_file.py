"""A SQLite store on which nothing may be written: neither the file nor anything beside it."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.command import CommandLine
from cli.stored_workflows import CHECKOUT, store_checkout

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

NOBODY = 65_534


@pytest.fixture
def folder(e2edebug: CommandLine) -> Iterator[Path]:
    """A folder that every user can get at, which pytest's own are not."""
    # Whoever gives root up may no longer read the interpreter's own files: everything is imported before.
    for argv in (
        ["migrate"],
        ["migrate", "--check"],
        ["sessions"],
        ["show", CHECKOUT],
        ["sessions", "--database", "sqlite:///"],
    ):
        e2edebug(*argv)
    made = Path(tempfile.mkdtemp(prefix="e2edebug-read-only-"))
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@contextmanager
def nothing_writable(folder: Path) -> Iterator[None]:
    """Take the right to write *folder* away, and the rights of root, for which there are no others."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def stored_checkout(folder: Path) -> str:
    url = f"sqlite:///{folder}/store.sqlite3"
    engine = create_store_engine(url)
    migrate(engine)
    store_checkout(engine)
    engine.dispose()
    return url


def test_a_store_on_which_nothing_may_be_written_is_read(folder: Path, e2edebug: CommandLine) -> None:
    url = stored_checkout(folder)

    with nothing_writable(folder):
        outcomes = [
            e2edebug(*argv, "--database", url) for argv in (["sessions"], ["show", CHECKOUT], ["migrate", "--check"])
        ]

    assert [(outcome.code, outcome.err) for outcome in outcomes] == [(0, "")] * 3
    assert "POST /api/checkout/" in outcomes[1].out
    assert [path.name for path in folder.iterdir()] == ["store.sqlite3"]


def test_rows_that_are_only_in_the_log_are_not_passed_over_in_silence(folder: Path, e2edebug: CommandLine) -> None:
    url = stored_checkout(folder)
    with sqlite3.connect(folder / "store.sqlite3") as writer:
        writer.execute("DELETE FROM debugging_workflow_session")
        writer.commit()
        for name in ("store.sqlite3", "store.sqlite3-wal"):
            shutil.copy(folder / name, folder / f"kept-{name}")
    writer.close()
    (folder / "store.sqlite3").unlink()

    with nothing_writable(folder):
        outcome = e2edebug("sessions", "--database", url.replace("store.sqlite3", "kept-store.sqlite3"))

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)
    assert "kept-store.sqlite3-wal, which cannot be read where nothing may be written: copy both files" in outcome.err


def test_a_file_that_may_not_be_changed_or_read_is_said_without_speaking_of_a_server(
    folder: Path, e2edebug: CommandLine
) -> None:
    url = stored_checkout(folder)

    with nothing_writable(folder):
        migrating = e2edebug("migrate", "--database", url)
    (folder / "store.sqlite3").chmod(0o000)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        reading = e2edebug("sessions", "--database", url)
    finally:
        os.seteuid(user)

    assert (migrating.code, migrating.err.count("\n")) == (3, 1)
    assert "as a user who may write the file and its folder" in migrating.err
    assert (reading.code, reading.err.count("\n")) == (3, 1)
    assert "check that it is a store's file that you may read" in reading.err
