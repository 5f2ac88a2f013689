"""`manage.py e2edebug show …`: the command line on the store of this project."""

import sys
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from e2edebug.cli import main


class Command(BaseCommand):
    """Everything behind `e2edebug` belongs to the command line, `--help` and wrong options included."""

    help = "Run a command of `e2edebug` on the store of this project: manage.py e2edebug show, sessions, config, …"
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand the arguments over as they are, and end with the command's exit code."""
        sys.exit(main(argv[2:]))

    def add_arguments(self, parser: ArgumentParser) -> None:
        """For call_command()."""
        parser.add_argument("arguments", nargs=REMAINDER)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command; raises CommandError unless it ends with 0."""
        code = main([str(argument) for argument in options["arguments"]])
        if code:
            raise CommandError(f"e2edebug {' '.join(options['arguments'])} ended with {code}", returncode=code)
