"""ADD COLUMN that can be run twice: MySQL commits at each DDL statement, and knows no ADD COLUMN IF NOT EXISTS."""

from typing import Any, Final

from sqlalchemy import Column, MetaData, Table, inspect
from sqlalchemy.schema import CreateColumn

from e2edebug_schema.column_types import SERVER_DIALECTS

_STATEMENT: Final = "e2edebug_ddl"


def add_column(operations: Any, table_name: str, column: Column[Any]) -> None:
    """Append *column* to a table that lacks it. operations: Alembic's `op`.

    As SQL text for a server, the server itself looks whether the column is there. SQLite cannot: there the text fails
    with `duplicate column name` when it is run again, after which its client goes on.
    """
    context = operations.get_context()
    dialect = context.dialect
    # The compiler wants a column that belongs to a table.
    Table(table_name, MetaData(), column)
    statement = f"ALTER TABLE {table_name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"
    if not context.as_sql:
        known = {found["name"] for found in inspect(operations.get_bind()).get_columns(table_name)}
        if column.name not in known:
            operations.execute(statement)
    elif dialect.name in SERVER_DIALECTS:
        for part in _unless_there(table_name, column.name, statement):
            operations.execute(part)
    else:
        operations.execute(statement)


def _unless_there(table_name: str, column_name: str, statement: str) -> tuple[str, ...]:
    quoted = statement.replace("'", "''")
    return (
        f"SET @{_STATEMENT} = (SELECT IF(COUNT(*) = 0, '{quoted}', 'DO 0') FROM information_schema.columns "  # noqa: S608 # names from our own files
        f"WHERE table_schema = DATABASE() AND table_name = '{table_name}' AND column_name = '{column_name}')",
        f"PREPARE {_STATEMENT} FROM @{_STATEMENT}",
        f"EXECUTE {_STATEMENT}",
        f"DEALLOCATE PREPARE {_STATEMENT}",
    )
