"""`e2edebug alerts`: what is over its limit, and what was."""

import argparse
from datetime import UTC, datetime
from typing import Any

from e2edebug.cli.alert_lines import alert_table
from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import ExitCode, UsageError
from e2edebug.cli.quantities import SINCE_FORM, read_since
from e2edebug.cli.record_json import as_json, to_text
from e2edebug.cli.store import settings_of, store_to_read
from e2edebug.cli.terminal import Terminal
from e2edebug_schema.queries.alerts import OPEN_STATES, list_alerts
from e2edebug_schema.tables import LAYERS


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "alerts",
        help="list what is over its limit",
        description="List the alerts that are not over; with --all or --since, those that are, too. "
        "`e2edebug alert <id>` shows one with its history.",
    )
    add_database_option(parser)
    parser.add_argument("--all", action="store_true", help="also those that are over")
    parser.add_argument("--since", metavar="TIME", help="also those that were there since then: 2h, 7d")
    parser.add_argument("--layer", metavar="LAYER", help=", ".join(LAYERS))
    parser.add_argument("--level", choices=("warning", "critical"))
    parser.add_argument("--limit", metavar="N", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the alerts."""
    now = datetime.now(UTC)
    if arguments.layer is not None and arguments.layer not in LAYERS:
        raise UsageError(f"--layer {arguments.layer!r} is not one of {', '.join(LAYERS)}")
    if not 1 <= arguments.limit <= 1000:
        raise UsageError(f"--limit {arguments.limit} is not a whole number from 1 to 1000")
    since = None
    if arguments.since is not None:
        try:
            since = read_since(arguments.since, now=now)
        except (ValueError, OverflowError) as error:
            raise UsageError(f"--since {arguments.since!r} is not {SINCE_FORM}") from error
    with_resolved = arguments.all or since is not None
    with store_to_read(settings_of(arguments.database)) as store:
        found = list_alerts(
            store.engine,
            states=None if with_resolved else OPEN_STATES,
            layer=arguments.layer,
            level=arguments.level,
            since=since,
            limit=arguments.limit,
        )
    terminal = Terminal()
    if arguments.json:
        terminal.say(to_text({"alerts": [as_json(one) for one in found]}))
    elif not found:
        terminal.say(
            "no alert" if with_resolved else "no alert; `e2edebug alerts --all` lists those that are over, too"
        )
    else:
        terminal.show(alert_table(found, now=now))
    return ExitCode.OK
