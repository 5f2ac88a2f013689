"""`manage.py migrate` and the store: what must not be touched is refused first, what Django does not reach is done last."""

import sys
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from e2edebug.django.router import APP_LABEL
from e2edebug.runtime import django_tests
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate, status
from e2edebug_schema.schema_state import SchemaState, SchemaStatus
from e2edebug_schema.store_errors import StoreError


def before_migrating(using: str, **_: Any) -> None:
    """Stop `migrate` before it changes anything, if the names of our tables, migrations or types are another app's."""
    found = foreign_names(using)
    if found:
        raise CommandError(found)


def after_migrating(verbosity: int = 1, **_: Any) -> None:
    """Bring the store to the newest schema where Django's migrations did not: in a database that is none of Django's,
    in another alias than the one just migrated, or after somebody dropped a table. Daily partitions are cut here."""
    if django_tests.is_test_environment():
        return
    engine, described_as = store_engine()
    try:
        applied = migrate(engine)
    except StoreError as error:
        raise CommandError(f"the store of e2edebug, {described_as}, could not be migrated: {error}") from error
    except SQLAlchemyError as error:
        # The application's own migrations are applied, and its deployment must not fail for want of telemetry.
        reason = getattr(error, "orig", None) or error
        sys.stderr.write(
            f"e2edebug: {described_as} gives no answer ({reason}); its tables are as they were. "
            "Run `manage.py migrate` again when it does\n"
        )
        return
    finally:
        engine.dispose()
    if applied and verbosity >= 1:
        sys.stdout.write(f"  e2edebug: {described_as} now has revision {applied[-1]}\n")


def foreign_names(using: str) -> str | None:
    """Return what another system has under names of ours, in words that say what to do; None when nothing."""
    found, described_as = store_status()
    if found is not None and found.state is SchemaState.FOREIGN:
        return (
            f"{described_as} has tables of another system, or changed ones, under names of e2edebug: {found.detail}. "
            "Nothing was touched. Rename or drop those tables, or give e2edebug a database of its own by "
            "E2EDEBUG_DATABASE_URL"
        )
    return _foreign_records(using, has_our_tables=found is not None and found.is_usable)


def store_engine() -> tuple[Engine, str]:
    """Return an engine of our own on the store, to be disposed of, and its name for people."""
    config = config_in_force()
    choice = choose_store_url(config)
    engine = create_store_engine(
        choice.url,
        connect_timeout_s=config.connect_timeout_s,
        read_timeout_s=config.read_timeout_s,
        write_timeout_s=config.write_timeout_s,
    )
    return engine, choice.described_as


def store_status() -> tuple[SchemaStatus | None, str]:
    """Return the state of the store and its name for people; None when it gives no answer, or while tests run."""
    if django_tests.is_test_environment():
        return None, "the database of the tests"
    engine, described_as = store_engine()
    try:
        return status(engine), described_as
    except (StoreError, SQLAlchemyError):
        return None, described_as
    finally:
        engine.dispose()


def _foreign_records(using: str, *, has_our_tables: bool) -> str | None:
    """An app labelled `debugging` that was here before: its migrations and content types would be taken for ours."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    own = {name for label, name in MigrationLoader(None).disk_migrations if label == APP_LABEL}
    recorded: set[str] = set()
    if "django_migrations" in tables:
        recorded = _column(using, "SELECT name FROM django_migrations WHERE app = %s")
    foreign = sorted(recorded - own)
    if foreign and not recorded & own:
        return _FOREIGN_RECORDS.format(
            what=f"migrations of another app labelled '{APP_LABEL}' ({', '.join(foreign)})",
            table="django_migrations",
            condition=f"app = '{APP_LABEL}'",
        )
    if "django_content_type" in tables and not recorded and not has_our_tables:
        types = sorted(_column(using, "SELECT model FROM django_content_type WHERE app_label = %s"))
        if types:
            return _FOREIGN_RECORDS.format(
                what=f"content types of another app labelled '{APP_LABEL}' ({', '.join(types)})",
                table="django_content_type",
                condition=f"app_label = '{APP_LABEL}'",
            )
    return None


def _column(using: str, query: str) -> set[str]:
    with connections[using].cursor() as cursor:
        cursor.execute(query, [APP_LABEL])
        return {str(row[0]) for row in cursor.fetchall()}


_FOREIGN_RECORDS = (
    "the database has {what}, which e2edebug would mistake for its own. Nothing was touched. If that app is gone, "
    "remove what it left (DELETE FROM {table} WHERE {condition}) and run migrate again; if it is not, both cannot be "
    "installed in one project"
)
