"""The store that a command works on: which one, whether it is there, and what to say when it is not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

import e2edebug_schema.store_errors as schema_errors
from e2edebug.cli.django_settings import load_django_settings
from e2edebug.cli.exit_codes import StoreError, UsageError
from e2edebug.policy.config import Config, ConfigurationError, load_config
from e2edebug.runtime.store_choice import StoreChoice, choose_store_url
from e2edebug_schema.engine import create_store_engine, parse_store_url
from e2edebug_schema.migrate import SchemaState, require_current, status

_NO_STORE_YET: Final = (
    "no store there yet: {}; start your program with `import e2edebug.auto` or `e2edebug run <command>`, "
    "create it with `e2edebug migrate`, or name another by --database URL"
)


class MissingStoreError(StoreError):
    """There is nothing to read. *what* says what is missing."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(_NO_STORE_YET.format(what))


@dataclass(frozen=True, slots=True)
class Store:
    """A store that can be used, and what it is called."""

    engine: Engine
    choice: StoreChoice


def settings_of(database: str | None, *, of_project: bool = False) -> Config:
    """Return the settings in force for a command with this `--database`.

    The Django project in this directory is loaded where the store depends on it, and always when *of_project*.
    """
    is_named = database is not None or bool(os.environ.get("E2EDEBUG_DATABASE_URL", "").strip())
    django_settings = load_django_settings() if of_project or not is_named else None
    try:
        return load_config({"database_url": database}, django_settings=django_settings)
    except ConfigurationError as error:
        renamed = (problem.replace("database_url=", "--database ", 1) for problem in error.problems)
        raise ConfigurationError(renamed if database is not None else error.problems) from error


@contextmanager
def store_to_change(config: Config) -> Iterator[Store]:
    """Give the store of *config* for a migration: it may not exist yet. Driver errors become StoreError."""
    choice = choose_store_url(config)
    with _store(config, choice, choice.url) as store:
        yield store


@contextmanager
def store_to_read(config: Config) -> Iterator[Store]:
    """Give the store of *config* for reading: nothing is created or changed by it.

    Raises StoreError unless it is there with the tables that this version reads.
    """
    with store_to_inspect(config) as store:
        if status(store.engine).state is SchemaState.ABSENT:
            raise MissingStoreError(f"{store.choice.described_as} has none of its tables")
        require_current(store.engine)
        yield store


@contextmanager
def store_to_inspect(config: Config) -> Iterator[Store]:
    """Give the store of *config*, whatever its tables are, for reading. Raises MissingStoreError for a file that is not there."""
    choice = choose_store_url(config)
    with _store(config, choice, _read_only(choice)) as store:
        yield store


@contextmanager
def _store(config: Config, choice: StoreChoice, url: str | URL) -> Iterator[Store]:
    try:
        engine = create_store_engine(
            url,
            connect_timeout_s=config.connect_timeout_s,
            read_timeout_s=config.read_timeout_s,
            write_timeout_s=config.write_timeout_s,
        )
    except schema_errors.StoreUrlError as error:
        raise UsageError(str(error)) from error
    try:
        yield Store(engine, choice)
    except schema_errors.StoreError as error:
        raise StoreError(str(error)) from error
    except SQLAlchemyError as error:
        raise StoreError(_no_answer(choice, _driver_text(error))) from error
    finally:
        engine.dispose()


def _read_only(choice: StoreChoice) -> URL | str:
    """The URL to read by. A SQLite file is opened read-only: otherwise a wrong name would leave an empty file."""
    try:
        url = parse_store_url(choice.url)
    except schema_errors.StoreUrlError as error:
        raise UsageError(str(error)) from error
    path = url.database
    if url.get_backend_name() != "sqlite":
        return choice.url  # which may name several hosts
    if not path or path == ":memory:" or path.startswith("file:"):
        return url
    if not Path(path).is_file():
        raise MissingStoreError(f"{path} does not exist")
    return url.set(database=f"file:{quote(str(Path(path).absolute()))}", query={"mode": "ro", "uri": "true"})


def _no_answer(choice: StoreChoice, reason: str) -> str:
    if choice.url.startswith("sqlite"):
        return (
            f"{choice.described_as} cannot be read: {reason}; "
            "check that it is a store's file that you may read, or name another by --database URL"
        )
    return (
        f"{choice.described_as} gives no answer: {reason}; "
        "check that it runs and may be reached with this user, or name another by --database URL"
    )


def _driver_text(error: SQLAlchemyError) -> str:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return str(error).partition("\n")[0]
    # Drivers give (number, text); the text alone is for people.
    texts = [part for part in error.orig.args if isinstance(part, str)]
    return texts[-1] if texts else str(error.orig)
