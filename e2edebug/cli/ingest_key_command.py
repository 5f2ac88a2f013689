"""`e2edebug ingest-key create`: a key for whoever is to send telemetry here."""

import argparse
from typing import Any

from e2edebug.cli.exit_codes import ExitCode, UsageError
from e2edebug.cli.terminal import Terminal
from e2edebug.policy.ingest_keys import KeyKind, key_of, new_token


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "ingest-key",
        help="make a key for services or browsers that send OTLP here",
        description="Make a key. The token is shown this once; what goes into E2EDEBUG_INGEST_KEYS is its SHA-256.",
    )
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True, dest="action")
    create = actions.add_parser("create", help="print a new token, and the entry for E2EDEBUG_INGEST_KEYS")
    create.add_argument(
        "--browser-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="make a key for pages of this origin, such as https://shop.example.com; may be given several times",
    )
    create.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print token and entry."""
    origins: list[str] = arguments.browser_origin
    kind: KeyKind = "browser" if origins else "server"
    token = new_token(kind)
    try:
        key = key_of(token, kind, origins)
    except ValueError as error:
        raise UsageError(f"--browser-origin: {error}") from error
    terminal = Terminal()
    terminal.say(f"token  {token}")
    terminal.say(f"entry  {key}")
    return ExitCode.OK
