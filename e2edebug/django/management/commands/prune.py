"""`manage.py prune`: clears out what is older than the settings keep; the same as `e2edebug prune`."""

from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandParser

from e2edebug.cli.command_line import main


class Command(BaseCommand):
    """Runs retention on the store of this project."""

    help = (
        "Clears out what is older than E2EDEBUG_RETENTION_* keeps, merges old metrics into hours, and makes the "
        "partitions of the coming days. For cron: once a day is enough."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of `e2edebug prune`, but for the database, which is the project's."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would go; nothing is changed")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Run it; its exit code is the command's."""
        flags = [f"--{name.replace('_', '-')}" for name in ("dry_run", "json") if options[name]]
        # The streams behind Django's wrappers, which end each write with a line feed.
        out, err = cast("TextIO", self.stdout._out), cast("TextIO", self.stderr._out)
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["prune", *flags])
        if code:
            raise SystemExit(code)
