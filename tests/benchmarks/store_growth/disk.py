"""Where the bytes of a store are: by table and index, and by the column of a step."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from benchmarks.store_growth.growing_store import GrowingStore
from sqlalchemy import Connection, Engine

from e2edebug_schema.rollup_tables import performance_rollup, rollup_hour
from e2edebug_schema.tables import (
    error_group,
    error_log,
    metadata,
    performance_snapshot,
    trace_step,
    workflow_session,
)

PAGE_BYTES = 16_384
SAMPLED_STEPS = 20_000
TABLES = (trace_step, workflow_session, performance_snapshot, performance_rollup, rollup_hour, error_log, error_group)
ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of one store."""

    steps: int
    parts: dict[tuple[str, str], int]
    """By table and index; `rows` is the table itself."""
    columns: dict[str, float]
    """What one step has in each column, on average."""
    file_bytes: int
    """What the file system gives: pages that are allocated ahead, too."""

    def of(self, table: sa.Table, *, indexes: bool | None = None) -> int:
        """Return the bytes of a table: all, its rows (False) or its indexes (True)."""
        return sum(
            size
            for (name, part), size in self.parts.items()
            if name == table.name and (indexes is None or indexes == (part != ROWS))
        )

    @property
    def total(self) -> int:
        """All of it, by the pages in use."""
        return sum(self.parts.values())


def disk_of_mariadb(store: GrowingStore) -> Disk:
    """Return the bytes of *store* by InnoDB's own statistics, taken anew."""
    database = store.url.rsplit("/", 1)[1]
    with store.server.root() as connection, connection.cursor() as cursor:
        cursor.execute(f"ANALYZE TABLE {', '.join(f'{database}.{table.name}' for table in TABLES)}")
        cursor.execute(
            "SELECT SUBSTRING_INDEX(table_name, '#', 1), index_name, SUM(stat_value) FROM mysql.innodb_index_stats "
            "WHERE database_name = %s AND stat_name = 'size' GROUP BY 1, 2",
            (database,),
        )
        known = {table.name for table in TABLES}
        parts = {
            (table, ROWS if index == "PRIMARY" else index): int(pages) * PAGE_BYTES
            for table, index, pages in cursor.fetchall()
            if table in known
        }
    engine = store.engine()
    try:
        with engine.connect() as read:
            steps = read.execute(sa.select(sa.func.count()).select_from(trace_step)).scalar_one()
            columns = _columns_of_mariadb(read)
    finally:
        engine.dispose()
    return Disk(steps, parts, columns, _file_bytes(store, database))


def disk_of_sqlite(engine: Engine, file: Path) -> Disk:
    """Return the bytes of the SQLite store in *file*. Raises when this SQLite was built without `dbstat`."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = dict(connection.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"))
        parts = {
            (table, ROWS if name == table else _index_name(name, table)): sizes.get(name, 0)
            for name, table in connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE rootpage > 0")
            if table in {one.name for one in TABLES}
        }
    finally:
        connection.close()
    with engine.connect() as read:
        steps = read.execute(sa.select(sa.func.count()).select_from(trace_step)).scalar_one()
        columns = _columns_of_sqlite(read)
    return Disk(steps, parts, columns, file.stat().st_size)


def _index_name(name: str, table: str) -> str:
    """A unique constraint has an index of SQLite's own name; our tables have one of them each."""
    if not name.startswith("sqlite_autoindex_"):
        return name
    [unique] = [one for one in metadata.tables[table].constraints if isinstance(one, sa.UniqueConstraint)]
    return str(unique.name)


def _columns_of_mariadb(connection: Connection) -> dict[str, float]:
    """As InnoDB keeps them (MariaDB, "Data Type Storage Requirements"): a length of one or two bytes before variable text."""
    expressions = {}
    for column in trace_step.columns:
        kind = column.type.compile(connection.dialect).upper()
        fixed = next((size for name, size in _FIXED.items() if kind.startswith(name)), None)
        if fixed is not None:
            expressions[column.name] = f"COALESCE(AVG(CASE WHEN {column.name} IS NULL THEN 0 ELSE {fixed} END), 0)"
        elif kind.startswith("CHAR"):
            expressions[column.name] = f"COALESCE(AVG(COALESCE(LENGTH({column.name}), 0)), 0)"
        else:
            expressions[column.name] = (
                f"COALESCE(AVG(CASE WHEN {column.name} IS NULL THEN 0 ELSE LENGTH({column.name}) + "
                f"IF(LENGTH({column.name}) > 127, 2, 1) END), 0)"
            )
    return _averages(connection, expressions)


def _columns_of_sqlite(connection: Connection) -> dict[str, float]:
    """Bytes of the values and of the serial types in the record's header (sqlite.org/fileformat2, "Record Format")."""
    expressions = {
        name: (
            f"AVG(CASE typeof({name}) WHEN 'text' THEN length(CAST({name} AS BLOB)) + "
            f"CASE WHEN length(CAST({name} AS BLOB)) > 57 THEN 2 ELSE 1 END WHEN 'real' THEN 9 WHEN 'integer' THEN 5 "
            "ELSE 1 END)"
        )
        for name in trace_step.columns.keys()  # noqa: SIM118 # a ColumnCollection iterates over columns
    }
    return _averages(connection, expressions)


def _averages(connection: Connection, expressions: dict[str, str]) -> dict[str, float]:
    sampled = f"(SELECT * FROM {trace_step.name} ORDER BY start_time DESC LIMIT {SAMPLED_STEPS}) AS newest"
    row: Any = connection.exec_driver_sql(f"SELECT {', '.join(expressions.values())} FROM {sampled}").one()
    return {name: float(value) for name, value in zip(expressions, row, strict=True)}


def _file_bytes(store: GrowingStore, database: str) -> int:
    folder = store.server.folder / "data" / database
    return sum(file.stat().st_size for file in folder.glob("debugging_*.ibd"))


_FIXED = {"BIGINT": 8, "DOUBLE": 8, "DATETIME(6)": 8, "INTEGER": 4, "SMALLINT": 2}
