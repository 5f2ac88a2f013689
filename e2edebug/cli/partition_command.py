"""`e2edebug partition`: cuts a table that is in one piece into days, so that old days can be dropped."""

import argparse
from dataclasses import replace
from typing import Any, Final

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode
from e2edebug.cli.store import settings_of, store_to_change
from e2edebug.cli.terminal import Terminal
from e2edebug_schema.migrate import require_current
from e2edebug_schema.partition_conversion import Conversion, convert, plan_conversions
from e2edebug_schema.store_errors import MigrationLocked

LONGEST_COPY_S: Final = 6 * 3600.0


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "partition",
        help="cut tables that are not partitioned into days",
        description="Cut steps, snapshots and errors into daily partitions where they are not (MySQL and MariaDB). "
        "The table is copied once; meanwhile writers wait, and so do their rows.",
    )
    add_database_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what it would take, and print the statements")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Convert what is in one piece, or say what that takes."""
    config = settings_of(arguments.database)
    terminal = Terminal()
    with store_to_change(replace(config, read_timeout_s=LONGEST_COPY_S, write_timeout_s=LONGEST_COPY_S)) as store:
        require_current(store.engine)
        conversions = plan_conversions(store.engine)
        if not conversions:
            is_server = store.engine.dialect.name != "sqlite"
            terminal.say(
                "nothing to do: every table that can be is cut into days"
                if is_server
                else "nothing to do: SQLite has no partitions, and old rows are deleted in small batches there",
                "completed",
            )
            return ExitCode.OK
        for conversion in conversions:
            terminal.say(_described(conversion))
            if arguments.dry_run:
                terminal.stream.write(f"{conversion.statement};\n")
                continue
            terminal.stream.flush()
            try:
                convert(store.engine, conversion)
            except MigrationLocked:
                terminal.say("another process changes the schema at this moment; run it again afterwards", "failed")
                return ExitCode.FOUND_PROBLEM
            terminal.say(f"{conversion.table.name} is cut into {conversion.days} days", "completed")
    if arguments.dry_run:
        terminal.say("nothing was changed: this was a dry run")
    return ExitCode.OK


def _described(conversion: Conversion) -> str:
    return (
        f"{conversion.table.name}: about {conversion.rows:,} rows, {conversion.size_bytes / (1 << 20):.0f} MB to copy "
        f"(as much free disk is needed), writers wait for about {max(conversion.estimated_s, 1):.0f} s; "
        f"{conversion.days} days from {conversion.first_day} on"
    )
