"""`e2edebug migrate`: brings the store to the schema of this version, says whether it is, or prints the SQL for it."""

import argparse
import json
from typing import Any

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode, UsageError
from e2edebug.cli.own_name import own_name
from e2edebug.cli.store import (
    MissingStoreError,
    settings_of,
    store_to_change,
    store_to_inspect,
)
from e2edebug.cli.terminal import Terminal, inert
from e2edebug.policy.config import Config
from e2edebug.runtime.store_choice import StoreChoice, choose_store_url
from e2edebug_schema.migrate import migrate, migration_sql, status
from e2edebug_schema.schema_state import SchemaState, SchemaStatus

_DIALECTS = ("mysql", "mariadb", "sqlite")


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "migrate",
        help="create or update the tables of the store",
        description="Create or update the tables of the store. It may be run again, and by several processes at once.",
    )
    add_database_option(parser)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check", action="store_true", help="only say whether the store is up to date (exit code 0 or 1)"
    )
    mode.add_argument("--sql", action="store_true", help="print the SQL for a database administrator to apply by hand")
    parser.add_argument("--dialect", choices=_DIALECTS, help="the dialect of --sql (default: the store's own)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Migrate, check, or print the SQL."""
    if arguments.dialect and not arguments.sql:
        raise UsageError("--dialect is for --sql; without it the store's own dialect is used")
    if arguments.sql and arguments.dialect:
        return _print_sql(arguments.dialect)
    config = settings_of(arguments.database)
    if arguments.sql:
        backend = choose_store_url(config).url.partition(":")[0].partition("+")[0]
        return _print_sql(backend)
    return _check(config, as_json=arguments.json) if arguments.check else _migrate(config, as_json=arguments.json)


def _print_sql(dialect_name: str) -> ExitCode:
    Terminal().stream.write(migration_sql(dialect_name))
    return ExitCode.OK


def _migrate(config: Config, *, as_json: bool) -> ExitCode:
    with store_to_change(config) as store:
        applied = migrate(store.engine)
        found = status(store.engine)
    if as_json:
        _print_json(store.choice, found, applied)
        return ExitCode.OK
    terminal = Terminal()
    for revision in applied:
        terminal.say(f"applied {inert(revision)}")
    terminal.say(
        f"{'up to date' if applied else 'already up to date'}: {inert(store.choice.described_as)}", "completed"
    )
    return ExitCode.OK


def _check(config: Config, *, as_json: bool) -> ExitCode:
    choice = choose_store_url(config)
    try:
        with store_to_inspect(config) as store:
            found = status(store.engine)
    except MissingStoreError as error:
        found = SchemaStatus(SchemaState.ABSENT, None, error.what)
    if as_json:
        _print_json(choice, found, ())
    elif found.is_usable:
        Terminal().say(f"{_USABLE[found.state]}: {inert(choice.described_as)}", "completed")
    else:
        Terminal().say(f"{found.state}: {inert(choice.described_as)}: {inert(found.detail)}", "failed")
        if found.state is not SchemaState.FOREIGN:
            Terminal().say(f"run `{own_name()} migrate`")
    return ExitCode.OK if found.is_usable else ExitCode.FOUND_PROBLEM


_USABLE = {
    SchemaState.CURRENT: "up to date",
    SchemaState.AHEAD: "migrated by a newer version, and usable",
}


def _print_json(choice: StoreChoice, found: SchemaStatus, applied: tuple[str, ...]) -> None:
    document = {
        "store": choice.described_as,
        "state": found.state.value,
        "revision": found.revision,
        "detail": found.detail,
        "applied": list(applied),
    }
    Terminal().say(json.dumps(document, indent=2))
