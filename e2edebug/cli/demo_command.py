"""`e2edebug demo`: the example shop with its traffic and its faults, from a source checkout."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import e2edebug
from e2edebug.cli.exit_codes import UsageError

DEMO: Final = Path(e2edebug.__file__).resolve().parents[1] / "examples" / "shop" / "demo.py"


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "demo",
        help="run the example shop, and show what was found in it",
        description="Run the example shop with its traffic and faults, and show what was found. "
        "It keeps everything in SQLite files unless a database is named.",
    )
    parser.add_argument("--once", action="store_true", help="end after the findings instead of running until Ctrl-C")
    parser.add_argument("--seconds", help="how long shoppers come (default: 40)")
    parser.add_argument(
        "--database-url", metavar="URL", help="mysql+pymysql://user:password@host:3306/database for shop and telemetry"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Replace this process by the demo. Raises UsageError where the example is not there."""
    if not DEMO.is_file():
        raise UsageError(
            "the demo is part of the source tree, not of the installed package: "
            "get the source distribution or a checkout of e2edebug, and run `make demo` in it"
        )
    given = ["--once"] if arguments.once else []
    for option in ("seconds", "database_url"):
        if getattr(arguments, option) is not None:
            given += [f"--{option.replace('_', '-')}", getattr(arguments, option)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(DEMO), *given])  # noqa: S606  # our own file, no shell
