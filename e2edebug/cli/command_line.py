"""The commands and options of `e2edebug`, and how every outcome becomes an exit code and one line on stderr."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn, TextIO

from e2edebug.cli.exit_codes import CommandError, ExitCode, UsageError
from e2edebug.cli.terminal import inert
from e2edebug.policy.config import ConfigurationError

_DESCRIPTION = """\
Shows which workflow broke, at which step, in which layer and why.

Where the rows are: E2EDEBUG_DATABASE_URL, else the MySQL or MariaDB of the Django project in this directory, else the
file e2edebug.sqlite3. `e2edebug config` says which one it is; --database URL names another.
"""
_EPILOG = """\
exit codes: 0 done, 1 the answer is no (nothing found, a check failed), 2 wrong usage or setting, 3 no usable store
"""
_COMMANDS = (
    "migrate", "run", "config", "sessions", "show", "evaluate", "alerts", "alert", "thresholds", "notify", "prune",
    "partition", "spool", "ingest-key", "demo",
)  # fmt: skip
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run *argv* and return the exit code; what is expected to fail says so in one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_characters(stream)
    try:
        given = sys.argv[1:] if argv is None else list(argv)
        arguments = _parser(given[:1]).parse_args(given)
        code = arguments.run(arguments)
        sys.stdout.flush()
    except ConfigurationError as error:
        for problem in error.problems:
            _complain(problem)
        return int(ExitCode.BAD_USAGE)
    except CommandError as error:
        _complain(str(error))
        for detail in error.details:
            print(f"  {inert(detail)}", file=sys.stderr)  # noqa: T201  # as in _complain()
        return int(error.code)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # `| head` has seen enough. What is still buffered must not be written at exit, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return int(code)


class _Parser(argparse.ArgumentParser):
    """Says in one line what was wrong, without the usage of everything before it."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def _parser(first: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that *first* names, else of all: `run` need not wait for SQLAlchemy's import."""
    parser = _Parser(
        prog="e2edebug",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"e2edebug {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True, dest="command")
    for command in first if first and first[0] in _COMMANDS else _COMMANDS:
        import_module(f"e2edebug.cli.{command.replace('-', '_')}_command").add_to(commands)
    return parser


def _version() -> str:
    try:
        return version("e2edebug")
    except PackageNotFoundError:  # a source tree that was never installed
        return "(not installed)"


def _complain(text: str) -> None:
    print(f"e2edebug: {inert(text)}", file=sys.stderr)  # noqa: T201  # stderr is where a command line complains


def _never_fail_on_characters(stream: TextIO) -> None:
    """A terminal that has no `é` shows it escaped instead of ending the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
