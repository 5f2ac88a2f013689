"""Make the shop ready: its database, its tables, and on the first run its goods."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from catalogue.sample_data import make_sample_data, make_staff
from shop.create_database import DatabaseUnusableError, create_database_if_missing


class Command(BaseCommand):
    help = __doc__
    # Since Django 6.1 checks connect to the database, which may not be there yet: `migrate` makes them afterwards.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--products", type=int, default=3000)
        parser.add_argument("--reviews", type=int, default=40000)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            create_database_if_missing(connection.settings_dict)
        except DatabaseUnusableError as refused:
            raise CommandError(str(refused)) from refused
        call_command("migrate", verbosity=0, interactive=False, skip_checks=False)
        filled = make_sample_data(products=options["products"], reviews=options["reviews"], say=self._say)
        if not filled:
            self._say("the shop is full already")
        make_staff()
        # Without statistics the optimiser guesses, and the healthy shop has slow queries of its own.
        with connection.cursor() as cursor:
            if connection.vendor == "mysql":
                cursor.execute("ANALYZE TABLE catalogue_product, catalogue_review, orders_order, orders_orderline")
            else:
                cursor.execute("ANALYZE")

    def _say(self, line: str) -> None:
        self.stdout.write(f"  {line}")
        self.stdout.flush()
