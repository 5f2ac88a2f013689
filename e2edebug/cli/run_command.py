"""`e2edebug run <command…>`: starts a program with `import e2edebug.auto` in it that nobody has to edit."""

import argparse
import errno
import os
import shutil
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import UsageError
from e2edebug.policy.config import load_config

AUTOLOAD: Final = Path(__file__).parent / "autoload"
"""A directory with nothing but a sitecustomize.py: Python imports that before it starts any program."""

_EPILOG = """\
examples:
  e2edebug run python manage.py runserver
  e2edebug run gunicorn shop.wsgi
  e2edebug run --service worker python -m celery -A shop worker

The program replaces this process: signals and exit codes are its own. Python started with -I, -E or -S ignores
PYTHONPATH or sitecustomize, and runs without capture.
"""


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "run",
        help="run a program with capture switched on",
        description="Run a program as if its first line were `import e2edebug.auto`.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="e2edebug run [--database URL] [--service NAME] <command> [argument ...]",
    )
    add_database_option(parser)
    parser.add_argument("--service", metavar="NAME", help="the name of the service (OTEL_SERVICE_NAME)")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="<command>")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Replace this process by the program. Raises UsageError when it cannot be started."""
    program = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not program:
        raise UsageError("run needs a command, such as `e2edebug run python manage.py runserver`")
    environ = dict(os.environ)
    if arguments.database is not None:
        environ["E2EDEBUG_DATABASE_URL"] = arguments.database
    if arguments.service is not None:
        environ["OTEL_SERVICE_NAME"] = arguments.service
    load_config(environ=environ)  # a wrong setting is told here, where somebody reads it
    path = find_program(program[0], environ)
    add_autoload(environ)
    _replace_process(path, program, environ)


def find_program(name: str, environ: MutableMapping[str, str]) -> str:
    """Return the path of the executable *name*, looked for on PATH and beside our own interpreter.

    The second place is for `.venv/bin/e2edebug run python …` without an activated environment.
    """
    found = shutil.which(name, path=environ.get("PATH")) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is not None:
        return found
    if Path(name).is_file():
        interpreter = f"python {name}" if name.endswith(".py") else f"sh {name}"
        raise UsageError(f"{name!r} is a file, but not executable; try `e2edebug run {interpreter}` or chmod +x")
    raise UsageError(f"command not found: {name!r}; give a program on PATH or the path of an executable file")


def add_autoload(environ: MutableMapping[str, str]) -> None:
    """Make every Python program started with *environ* switch capture on, however deep it is started."""
    others = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(AUTOLOAD)]
    environ["PYTHONPATH"] = os.pathsep.join([str(AUTOLOAD), *others])


def _replace_process(path: str, program: Sequence[str], environ: MutableMapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(path, list(program), dict(environ))  # noqa: S606  # what the user typed, and no shell to misread it
    except OSError as error:
        reason = "it has no #! line" if error.errno == errno.ENOEXEC else error.strerror
        raise UsageError(f"{program[0]!r} cannot be started: {reason}") from error
