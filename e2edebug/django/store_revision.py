"""Revisions of the store as operations of Django's migrations.

The SQL is that of the Alembic revision, compiled without a connection and executed by Django's schema editor. Were
SQLAlchemy to connect on Django's connection, it would end the atomic block around it (design page, section 3).
"""

from typing import Any

from django.db import router as database_router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.utils import DatabaseError

from e2edebug_schema.migrate import revision_statements

_DONE_BEFORE = {
    1050,  # the table exists
    1060,  # the column exists
    1061,  # the key exists
    1091,  # what is to be dropped is not there
}


class ApplyStoreRevision(Operation):
    """Bring the store to one revision. Can be run again: MySQL commits at each statement."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, revision: str) -> None:
        self.revision = revision

    def deconstruct(self) -> Any:
        """Return how the operation is written down."""
        return self.__class__.__qualname__, [], {"revision": self.revision}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models are described by the operations beside this one."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: Any,  # noqa: ARG002  # Django's signature
        to_state: Any,  # noqa: ARG002  # likewise
    ) -> None:
        """Execute the revision's SQL if this is the store's database."""
        connection = schema_editor.connection
        if not database_router.allow_migrate(connection.alias, app_label):
            return
        for statement in revision_statements(self.revision, dialect_of(connection)):
            try:
                schema_editor.execute(statement, params=None)
            except DatabaseError as error:
                if not _was_done_before(error):
                    raise

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Leave the tables: what the store has recorded is not lost by `migrate debugging zero`."""

    def describe(self) -> str:
        """Return what `migrate --plan` shows."""
        return f"Bring the store to revision {self.revision}"


def dialect_of(connection: BaseDatabaseWrapper) -> str:
    """Return `sqlite`, `mysql` or `mariadb`."""
    if connection.vendor == "mysql":
        return "mariadb" if getattr(connection, "mysql_is_mariadb", False) else "mysql"
    return connection.vendor


def _was_done_before(error: DatabaseError) -> bool:
    code = error.args[0] if error.args else None
    return code in _DONE_BEFORE or "duplicate column name" in str(error) or "already exists" in str(error)
