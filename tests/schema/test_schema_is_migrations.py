"""tables.py and the migrations lead to one schema: what a server says of each is compared, column by column.

The tables are created by tables.py in one database and by the migrations in another of the same server.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.table_description import described

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.table_ddl import create_table_statements
from e2edebug_schema.tables import PARTITIONED_TABLES, metadata, partition_column, text_limits, trace_step

TABLES = sorted(metadata.tables)


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """For each dialect: an engine on what tables.py says, and one on what the migrations made."""
    server = request.getfixturevalue("mariadb_server")
    folder: Path = tmp_path_factory.mktemp("schemas")
    urls = {
        "sqlite": [f"sqlite:///{folder / name}.sqlite3" for name in ("declared", "migrated")],
        "mariadb": [server.create_database() for _ in range(2)],
    }
    engines = {name: [create_store_engine(url) for url in both] for name, both in urls.items()}
    for declared, migrated in engines.values():
        with declared.begin() as connection:
            for table in metadata.tables.values():
                for statement in create_table_statements(table, declared.dialect):
                    connection.exec_driver_sql(statement)
        migrate(migrated)
    yield engines
    for both in engines.values():
        for engine in both:
            engine.dispose()
    for url in urls["mariadb"]:
        server.drop_database(url)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["sqlite", "mariadb"])
def test_a_migrated_table_is_the_declared_one(pairs: dict[str, Any], name: str, table: str) -> None:
    declared, migrated = (described(engine, table) for engine in pairs[name])

    assert all(declared.values())
    assert migrated == declared


@pytest.mark.parametrize("name", ["sqlite", "mariadb"])
def test_the_migrations_make_no_table_beside_the_declared_ones(pairs: dict[str, Any], name: str) -> None:
    _, migrated = pairs[name]

    with migrated.connect() as connection:
        found = sa.inspect(connection).get_table_names()

    assert sorted(found) == sorted([*TABLES, "debugging_schema_version"])


@pytest.mark.parametrize("name", ["sqlite", "mariadb"])
@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_what_the_database_has_is_what_the_code_reads_and_writes(
    pairs: dict[str, Any], name: str, table: sa.Table
) -> None:
    """Against the Table object itself, by reflection: names, order, nullability, keys."""
    _, migrated = pairs[name]

    with migrated.connect() as connection:
        reflected = sa.Table(table.name, sa.MetaData(), autoload_with=connection)

    expected_key = [column.name for column in table.primary_key]
    if name == "mariadb" and (time := partition_column(table)):
        expected_key.append(time)
    assert [(column.name, column.nullable) for column in reflected.columns] == [
        (column.name, column.nullable) for column in table.columns
    ]
    assert [column.name for column in reflected.primary_key] == expected_key
    assert keys(reflected) == keys(table)


def keys(table: sa.Table) -> set[tuple[str, bool, tuple[str, ...]]]:
    """Indexes and unique constraints alike: a server makes an index of either."""
    indexes = {(str(index.name), bool(index.unique), tuple(index.columns.keys())) for index in table.indexes}
    constraints = {
        (str(constraint.name), True, tuple(constraint.columns.keys()))
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    }
    return indexes | constraints


def test_what_exporters_write_is_what_the_tables_have() -> None:
    """The rows' fields in order, then what the store keeps for itself; of steps, the shared ones stand together."""
    from e2edebug_exporters.rows import ERROR_COLUMNS, SNAPSHOT_COLUMNS, STEP_COLUMNS

    of_the_store = {"id", "resolved", "resolution_notes", "resolved_at", "resolved_by"}
    steps, snapshots, errors = (
        tuple(column.name for column in table.columns if column.name not in of_the_store)
        for table in PARTITIONED_TABLES
    )
    assert (snapshots, errors) == (SNAPSHOT_COLUMNS, ERROR_COLUMNS)
    assert sorted(steps) == sorted(STEP_COLUMNS)


def test_text_limits_are_those_of_the_columns() -> None:
    limits = text_limits(trace_step)

    assert (limits["correlation_id"], limits["component"], limits["status_message"]) == (64, 150, 1024)
    assert not {"statement", "metadata", "start_time", "duration_ms"} & limits.keys()
