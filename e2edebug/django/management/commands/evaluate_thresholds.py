"""`manage.py evaluate_thresholds`: judges the thresholds and delivers the messages; the same as `e2edebug evaluate`."""

from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandParser

from e2edebug.cli.command_line import main


class Command(BaseCommand):
    """Evaluates the thresholds of this project's store."""

    help = (
        "Judges the thresholds by the stored metrics, keeps what changed, and delivers the messages. Once, for cron, or "
        "again and again with --every 30s. Any number of these may run: one at a time evaluates."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of `e2edebug evaluate`, but for the database, which is the project's."""
        parser.add_argument("--once", action="store_true", help="one time (the default)")
        parser.add_argument("--every", metavar="DURATION", help="again and again: 30s, 1m")
        parser.add_argument("--json", action="store_true", help="print JSON, a document for each turn")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Run it; its exit code is the command's."""
        flags = [f"--{name}" for name in ("once", "json") if options[name]]
        if options["every"] is not None:
            flags += ["--every", options["every"]]
        # The streams behind Django's wrappers, which end each write with a line feed.
        out, err = cast("TextIO", self.stdout._out), cast("TextIO", self.stderr._out)
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["evaluate", *flags])
        if code:
            raise SystemExit(code)
