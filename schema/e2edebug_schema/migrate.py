"""Bring a database to the schema of tables.py, or say why not.

Alembic's revisions and operations, run by a loop of our own: eight processes that start at once must not collide, a
lock must not hold us for a day, and a step that MySQL has already committed must not fail when it is run again.
"""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError

from e2edebug_schema.column_types import IDENTIFIER_COLLATION, SERVER_DIALECTS
from e2edebug_schema.migration_failures import explained
from e2edebug_schema.migration_lock import LOCK_WAIT_S, hold_migration_lock
from e2edebug_schema.partitions import ensure_daily_partitions
from e2edebug_schema.quiet_alembic import quiet_alembic
from e2edebug_schema.read_limits import READ_ONLY_OPTION
from e2edebug_schema.schema_state import VERSION_TABLE, SchemaState, SchemaStatus, read_status
from e2edebug_schema.store_errors import ForeignSchema, SchemaBehind

with quiet_alembic():
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import Script, ScriptDirectory

__all__ = [
    "SchemaState",
    "SchemaStatus",
    "check",
    "migrate",
    "migration_sql",
    "require_current",
    "revision_statements",
    "revisions",
    "status",
]

MIGRATIONS: Final = Path(__file__).parent / "migrations"

# Alembic's `op` is a module with one target at a time.
_operations_lock = threading.Lock()


def _renew_lock() -> None:
    """In a forked child nobody is migrating, whoever held the lock in the parent."""
    global _operations_lock
    _operations_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def migrate(engine: Engine, *, lock_wait_s: int = LOCK_WAIT_S) -> tuple[str, ...]:
    """Apply the revisions that the database lacks and return their names, oldest first; () when it was up to date.

    Safe to call at once from any number of processes: one applies, the others wait for it and find it done.
    Takes a connection of *engine*. Tables that are not ours are never touched.
    Raises ForeignSchema, MigrationLocked when a lock of somebody else lasts longer than a few seconds, and
    MigrationRefused when the user may not change tables.
    """
    try:
        if status(engine).is_usable:
            applied: tuple[str, ...] = ()
        else:
            with _operations_lock, engine.connect() as connection, hold_migration_lock(connection, lock_wait_s):
                applied = _apply_missing(connection)
        ensure_daily_partitions(engine, lock_wait_s=lock_wait_s)
    except DBAPIError as error:
        known = explained(error)
        if known is None:
            raise
        raise known from error
    return applied


def check(engine: Engine) -> SchemaState:
    """Return whether the database can be used; changes nothing."""
    return status(engine).state


def status(engine: Engine) -> SchemaStatus:
    """Return the state of the database with its revision and the reason in words; changes nothing."""
    with engine.connect().execution_options(**{READ_ONLY_OPTION: True}) as connection:
        return read_status(connection, revisions=_revisions())


def require_current(engine: Engine) -> None:
    """Raise ForeignSchema or SchemaBehind, with the command to run, unless the database can be used."""
    found = status(engine)
    if found.state is SchemaState.FOREIGN:
        raise ForeignSchema(_FOREIGN.format(found.detail))
    if not found.is_usable:
        raise SchemaBehind(f"the store is {found.state}: {found.detail}; run `e2edebug migrate`")


def migration_sql(dialect_name: str) -> str:
    """Return the whole schema as SQL text for `mysql`, `mariadb` or `sqlite`, to be applied by hand.

    It leaves the same database as migrate() and can be run again, also after an interruption.
    On SQLite, ADD COLUMN then says `duplicate column name`, and the client goes on.
    """
    text = io.StringIO()
    context = MigrationContext.configure(
        dialect=make_url(f"{dialect_name}://").get_dialect()(), opts={"as_sql": True, "output_buffer": text}
    )
    with _operations_lock, Operations.context(context):
        for statement in _version_table_sql(dialect_name):
            context.impl.static_output(f"{statement};\n")
        for script in _all_scripts():
            text.write(f"-- {script.revision}: {script.doc}\n\n")
            script.module.upgrade()
    for statement in _stamp_sql(dialect_name, _revisions()[-1]):
        context.impl.static_output(f"{statement};\n")
    return text.getvalue()


def revisions() -> tuple[str, ...]:
    """Return the names of all revisions that this version knows, oldest first."""
    return _revisions()


def revision_statements(revision: str, dialect_name: str) -> list[str]:
    """Return the statements of one revision for `mysql`, `mariadb` or `sqlite`, to be executed by somebody else.

    The last of them write down that the store has the revision, unless it has a later one. Can be run again.
    """
    statements = _Statements()
    context = MigrationContext.configure(
        dialect=make_url(f"{dialect_name}://").get_dialect()(), opts={"as_sql": True, "output_buffer": statements}
    )
    script = next(script for script in _all_scripts() if script.revision == revision)
    with _operations_lock, Operations.context(context):
        script.module.upgrade()
    return [*_version_table_sql(dialect_name), *statements.found, *_stamp_sql(dialect_name, revision)]


class _Statements(io.TextIOBase):
    """Keeps apart what Alembic writes one after the other."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def write(self, text: str) -> int:
        self.found.append(text.strip().removesuffix(";"))
        return len(text)


_FOREIGN: Final = (
    "the database has tables of the same names that are not of e2edebug, or have been changed: {}. "
    "They have been left alone; give e2edebug a database of its own by E2EDEBUG_DATABASE_URL"
)


def _apply_missing(connection: Connection) -> tuple[str, ...]:
    found = read_status(connection, revisions=_revisions())
    if found.state is SchemaState.FOREIGN:
        raise ForeignSchema(_FOREIGN.format(found.detail))
    if found.is_usable:
        return ()
    dialect_name = connection.dialect.name
    for statement in _version_table_sql(dialect_name):
        connection.exec_driver_sql(statement)
    applied = []
    # Every revision can be run again, and makes only what is missing.
    for script in _scripts(after=None if found.dropped_tables else found.revision):
        with _operations_on(connection):
            script.module.upgrade()
        for statement in _stamp_sql(dialect_name, script.revision):
            connection.exec_driver_sql(statement)
        # A server has committed each statement by itself. On SQLite the transaction is the turn: it ends with the last
        # revision, or another process would begin in the middle.
        if dialect_name in SERVER_DIALECTS:
            connection.commit()
        applied.append(script.revision)
    connection.commit()
    return tuple(applied)


@contextmanager
def _operations_on(connection: Connection) -> Iterator[Any]:
    with quiet_alembic():
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        with Operations.context(context) as operations:
            yield operations


def _scripts(*, after: str | None = None) -> list[Script]:
    names = [script.revision for script in _all_scripts()]
    return list(_all_scripts()[names.index(after) + 1 if after is not None else 0 :])


@cache
def _all_scripts() -> tuple[Script, ...]:
    """Every revision, oldest first; read once, because Alembic executes the files anew each time."""
    return tuple(reversed(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())))


def _revisions() -> tuple[str, ...]:
    return tuple(script.revision for script in _all_scripts())


def _version_table_sql(dialect_name: str) -> tuple[str, ...]:
    on_server = dialect_name in SERVER_DIALECTS
    charset = f" CHARACTER SET ascii COLLATE {IDENTIFIER_COLLATION}" if on_server else ""
    engine = " ENGINE=InnoDB" if on_server else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} "
        f"(version_num VARCHAR(32){charset} NOT NULL, PRIMARY KEY (version_num)){engine}",
    )


def _stamp_sql(dialect_name: str, revision: str) -> tuple[str, ...]:
    """One row with the newest revision, in an order that never leaves the table without one.

    A later one stays: Django's migrations begin with the first revision, also on a store that was migrated otherwise.
    """
    ignore = "INSERT IGNORE" if dialect_name in SERVER_DIALECTS else "INSERT OR IGNORE"
    return (
        f"{ignore} INTO {VERSION_TABLE} (version_num) SELECT '{revision}' FROM (SELECT 1 AS one) AS this "  # noqa: S608  # a name from our own files
        f"WHERE NOT EXISTS (SELECT 1 FROM {VERSION_TABLE} WHERE version_num > '{revision}')",
        f"DELETE FROM {VERSION_TABLE} WHERE version_num < '{revision}'",  # noqa: S608  # likewise
    )
