"""What a database holds where the store should be, told from its catalogue without changing anything."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, text

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.tables import ADDED_BY, metadata

VERSION_TABLE: Final = "debugging_schema_version"
"""Alembic's bookkeeping under a name of ours: the host may use Alembic, too."""

_SERVER_COLUMNS: Final = text(
    "SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name LIKE 'debugging%'"
)
_SQLITE_COLUMNS: Final = text(
    "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
    "WHERE t.type = 'table' AND t.name LIKE 'debugging%'"
)


class SchemaState(StrEnum):
    """Whether the store can be used."""

    CURRENT = "current"
    AHEAD = "ahead"
    """A newer version of e2edebug has migrated it. Migrations only add, so it can be used."""
    BEHIND = "behind"
    ABSENT = "absent"
    """None of our tables is there: they may be created."""
    FOREIGN = "foreign"
    """Tables of our names that are not ours: to be left alone."""


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """A state, the revision that the database says it has, and what made it that state."""

    state: SchemaState
    revision: str | None
    detail: str
    dropped_tables: tuple[str, ...] = ()
    """Tables that the revision promises and somebody dropped; the migrations make them again."""

    @property
    def is_usable(self) -> bool:
        """Rows can be written and read."""
        return self.state in (SchemaState.CURRENT, SchemaState.AHEAD)


def read_status(connection: Connection, *, revisions: tuple[str, ...]) -> SchemaStatus:
    """Return what the database of *connection* holds. revisions: all that this version knows, oldest first."""
    columns = _stored_columns(connection)
    ours = columns.keys() & metadata.tables.keys()
    if VERSION_TABLE not in columns:
        if not ours:
            return SchemaStatus(SchemaState.ABSENT, None, "none of the tables of e2edebug exists")
        return SchemaStatus(SchemaState.FOREIGN, None, f"{_listed(ours)} exist, but {VERSION_TABLE} does not")
    revision = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608  # constant
    missing_tables = metadata.tables.keys() - columns.keys()
    if revision is None:
        # A first migration that was interrupted left some of the tables, each of them as its revision made it.
        if unfinished := _missing_columns(columns, with_added=False):
            return SchemaStatus(SchemaState.FOREIGN, None, _described(unfinished, set()))
        return SchemaStatus(SchemaState.BEHIND, None, "its first migration did not finish")
    if revision in revisions[:-1]:
        return SchemaStatus(SchemaState.BEHIND, revision, f"it has revision {revision}, the code {revisions[-1]}")
    is_newest = revision == revisions[-1]
    changed = _missing_columns(columns)
    if not is_newest and not _is_later(revision, revisions[-1]):
        return SchemaStatus(SchemaState.FOREIGN, revision, f"it has revision {revision!r}, which is none of e2edebug")
    if changed or (missing_tables and not is_newest):
        return SchemaStatus(SchemaState.FOREIGN, revision, _described(changed, missing_tables))
    if missing_tables:
        detail = _described({}, missing_tables)
        return SchemaStatus(SchemaState.BEHIND, revision, detail, tuple(sorted(missing_tables)))
    if is_newest:
        return SchemaStatus(SchemaState.CURRENT, revision, f"it has revision {revision}")
    return SchemaStatus(SchemaState.AHEAD, revision, f"it has revision {revision}, which is newer than this version")


def _stored_columns(connection: Connection) -> Mapping[str, Set[str]]:
    on_server = connection.dialect.name in SERVER_DIALECTS
    found: defaultdict[str, set[str]] = defaultdict(set)
    for table, column in connection.execute(_SERVER_COLUMNS if on_server else _SQLITE_COLUMNS):
        found[table].add(column)
    return found


def _is_later(revision: str, newest: str) -> bool:
    """Revisions begin with a number of four digits that counts up."""
    return revision[:4].isdecimal() and revision[:4] > newest[:4]


def _missing_columns(stored: Mapping[str, Set[str]], *, with_added: bool = True) -> dict[str, Set[str]]:
    """What the tables that are there lack. with_added: columns that a later revision than the table's own adds, too."""
    wanted = {
        name: {column.name for column in table.columns if with_added or ADDED_BY not in column.info}
        for name, table in metadata.tables.items()
        if name in stored
    }
    return {name: missing for name, columns in wanted.items() if (missing := columns - stored[name])}


def _described(changed: Mapping[str, Set[str]], missing_tables: Set[str]) -> str:
    parts = [f"{table} lacks {_listed(columns)}" for table, columns in sorted(changed.items())]
    if missing_tables:
        several = len(missing_tables) > 1
        parts.append(
            f"the table{'s' if several else ''} {_listed(missing_tables)} {'are' if several else 'is'} missing"
        )
    return "; ".join(parts)


def _listed(names: Set[str]) -> str:
    return ", ".join(sorted(names))
