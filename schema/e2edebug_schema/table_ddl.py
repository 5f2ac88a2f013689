"""CREATE TABLE as each dialect needs it: partitions, inline keys, and nothing that cannot be run twice.

MySQL commits at each DDL statement, so a migration that was interrupted starts again from its first step; and it has
no CREATE INDEX IF NOT EXISTS, so the keys of a new table stand inside its CREATE TABLE IF NOT EXISTS.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Dialect, Index, PrimaryKeyConstraint, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.compiler import DDLCompiler

from e2edebug_schema.column_types import NAME_COLLATION, SERVER_DIALECTS

LAST_PARTITION: Final = "pmax"
"""Takes what no daily partition takes, so that a row is never refused for its time."""


class TimePartitionedPrimaryKey(PrimaryKeyConstraint):
    """`(id)` on SQLite, `(id, <partition column>)` on MySQL and MariaDB, where a unique key must hold that column."""

    def __init__(self, column_name: str, *, partition_column: str) -> None:
        super().__init__(column_name)
        self.partition_column = partition_column


@compiles(TimePartitionedPrimaryKey)
def _primary_key(key: TimePartitionedPrimaryKey, compiler: DDLCompiler, **options: Any) -> str:
    return compiler.visit_primary_key_constraint(key, **options)


@compiles(TimePartitionedPrimaryKey, *SERVER_DIALECTS)
def _server_primary_key(key: TimePartitionedPrimaryKey, compiler: DDLCompiler, **_options: Any) -> str:
    names = [*(column.name for column in key.columns), key.partition_column]
    return f"PRIMARY KEY ({_quoted(names, compiler.dialect)})"


def plain_table_options() -> dict[str, Any]:
    """Return the Table keywords of a table that stays in one piece."""
    options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": NAME_COLLATION, "row_format": "DYNAMIC"}
    return {f"{dialect}_{key}": value for dialect in SERVER_DIALECTS for key, value in options.items()}


def partitioned_table_options(time_column: str) -> dict[str, Any]:
    """Return the Table keywords of a table that is cut by day; partitions.py splits its one partition later."""
    clause = f"RANGE COLUMNS(`{time_column}`) (PARTITION {LAST_PARTITION} VALUES LESS THAN (MAXVALUE))"
    return plain_table_options() | {f"{dialect}_partition_by": clause for dialect in SERVER_DIALECTS}


def create_table_statements(table: Table, dialect: Dialect) -> list[str]:
    """Return the statements that create *table* with its indexes; each does nothing where it was done before."""
    create = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)).strip()
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    if dialect.name in SERVER_DIALECTS:
        return [_with_inline_keys(create, indexes, dialect)]
    return [create, *(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)) for index in indexes)]


def add_index_statements(index: Index, dialect: Dialect) -> list[str]:
    """Return the statements that give an existing table one more *index*; they do nothing where it has it.

    MySQL has no CREATE INDEX IF NOT EXISTS and no DROP INDEX IF EXISTS, and a script must ask for itself: it is applied
    without us, too.
    """
    assert index.table is not None
    if dialect.name not in SERVER_DIALECTS:
        return [str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))]
    create = f"CREATE INDEX {index.name} ON {index.table.name} ({_quoted(index.columns.keys(), dialect)})"
    return _only_if("COUNT(*) = 0", index.table.name, str(index.name), create)


def drop_index_statements(table_name: str, index_name: str, dialect: Dialect) -> list[str]:
    """Return the statements that take an index from an existing table; they do nothing where it is gone."""
    if dialect.name not in SERVER_DIALECTS:
        return [f"DROP INDEX IF EXISTS {index_name}"]
    return _only_if("COUNT(*) > 0", table_name, index_name, f"DROP INDEX {index_name} ON {table_name}")


def _only_if(condition: str, table_name: str, index_name: str, statement: str) -> list[str]:
    """Return what executes *statement* if the entries of the index in MySQL's catalogue fulfil *condition*."""
    return [
        f"SET @e2edebug_ddl = (SELECT IF({condition}, '{statement}', 'DO 0') "  # noqa: S608 # names of ours
        f"FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = '{table_name}' "
        f"AND index_name = '{index_name}')",
        "PREPARE e2edebug_ddl FROM @e2edebug_ddl",
        "EXECUTE e2edebug_ddl",
        "DEALLOCATE PREPARE e2edebug_ddl",
    ]


def _with_inline_keys(create: str, indexes: Iterable[Index], dialect: Dialect) -> str:
    keys = [f"\tKEY {index.name} ({_quoted(index.columns.keys(), dialect)})" for index in indexes]
    columns, closing, table_options = create.rpartition("\n)")
    return ", \n".join([columns, *keys]) + closing + table_options


def _quoted(names: Iterable[str], dialect: Dialect) -> str:
    return ", ".join(dialect.identifier_preparer.quote(name) for name in names)
