"""What MySQL would refuse and MariaDB lets pass, read from the DDL itself: no MySQL server is needed to see it."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.migrate import migration_sql
from e2edebug_schema.table_ddl import create_table_statements
from e2edebug_schema.tables import metadata, partition_column

LONGEST_KEY_BYTES = 3072  # InnoDB, DYNAMIC row format (MySQL manual, "InnoDB Limits")
LONGEST_ROW_BYTES = 65_535  # MySQL manual, "Row Size Limits"; every BLOB or TEXT counts with 9 to 12 bytes
LONGEST_NAME = 64

# Reserved words of MySQL 8.0, 8.4 and 9.x and of MariaDB 10.6 to 11.x ("Keywords and Reserved Words" of each manual).
RESERVED = set(Path(__file__).with_name("reserved_words.txt").read_text().split())

tables = pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)


def server_type(column: sa.Column[object]) -> sa.types.TypeEngine[object]:
    return column.type.dialect_impl(mysql.dialect())


def is_text(column: sa.Column[object]) -> bool:
    return isinstance(server_type(column), sa.String)


def bytes_of(column: sa.Column[object]) -> int:
    """The most bytes that a value of *column* takes in a key."""
    kind = server_type(column)
    if not isinstance(kind, sa.String):
        return 8
    assert kind.length is not None, f"{column.name} has no length, so it cannot be part of a key"
    return kind.length * (1 if getattr(kind, "charset", None) == "ascii" else 4)


def keys_of(table: sa.Table) -> list[tuple[str, list[sa.Column[object]], bool]]:
    """Name, columns and uniqueness of every key, as the server will have them."""
    keys: list[tuple[str, list[sa.Column[object]], bool]] = [
        (str(index.name), list(index.columns), bool(index.unique)) for index in table.indexes
    ]
    keys += [
        (str(constraint.name), list(constraint.columns), True)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    return keys


@tables
def test_no_key_is_longer_than_innodb_allows(table: sa.Table) -> None:
    """MariaDB silently makes a hash index of a longer unique key; MySQL fails."""
    too_long = {
        name: size for name, columns, _ in keys_of(table) if (size := sum(map(bytes_of, columns))) > LONGEST_KEY_BYTES
    }

    assert too_long == {}


@tables
def test_no_row_is_longer_than_mysql_allows(table: sa.Table) -> None:
    sizes = [
        12 if type(server_type(column)).__name__.endswith("TEXT") else bytes_of(column) + 2 for column in table.columns
    ]

    assert sum(sizes) < LONGEST_ROW_BYTES


@tables
def test_no_name_is_a_reserved_word_or_too_long(table: sa.Table) -> None:
    names = [table.name, *table.columns.keys(), *(name for name, _, _ in keys_of(table))]

    assert [name for name in names if name.upper() in RESERVED or len(name) > LONGEST_NAME] == []


@tables
def test_every_text_column_names_its_charset_and_collation(table: sa.Table) -> None:
    known = {("ascii", "ascii_bin"), ("utf8mb4", "utf8mb4_bin"), ("utf8mb4", "utf8mb4_unicode_520_ci")}

    strange = {
        column.name: pair
        for column in table.columns
        if is_text(column)
        and (pair := (getattr(server_type(column), "charset", None), getattr(server_type(column), "collation", None)))
        not in known
    }

    assert strange == {}


@tables
def test_ids_keys_and_digests_are_ascii_and_compared_byte_by_byte(table: sa.Table) -> None:
    suffixes = ("_digest", "trace_id", "span_id", "correlation_id", "event_key", "fingerprint", "session_key")
    collations = {
        column.name: getattr(server_type(column), "collation", None)
        for column in table.columns
        if column.name.endswith(suffixes)
    }

    assert set(collations.values()) <= {"ascii_bin"}


@tables
def test_every_unique_key_of_a_partitioned_table_holds_its_time(table: sa.Table) -> None:
    time = partition_column(table)
    if time is None:
        return

    without = [name for name, columns, unique in keys_of(table) if unique and time not in [c.name for c in columns]]
    statement = create_table_statements(table, mysql.dialect())[0]

    assert without == []
    assert re.search(rf"PRIMARY KEY \(id, `?{time}`?\)", statement)
    assert f"PARTITION BY RANGE COLUMNS(`{time}`)" in statement


@tables
def test_no_unique_key_has_a_column_that_may_be_null(table: sa.Table) -> None:
    """NULLs are never equal, so the same thing would be stored twice."""
    nullable = [
        f"{name}.{column.name}"
        for name, columns, unique in keys_of(table)
        if unique
        for column in columns
        if column.nullable
    ]

    assert nullable == []


@tables
def test_every_time_has_microseconds_and_every_id_is_auto_increment(table: sa.Table) -> None:
    statement = create_table_statements(table, mysql.dialect())[0]

    assert re.findall(r"DATETIME(?!\(6\))|TIMESTAMP[ (]", statement) == []
    assert "id BIGINT NOT NULL AUTO_INCREMENT" in statement


@tables
def test_no_table_has_a_foreign_key_or_a_json_column(table: sa.Table) -> None:
    statement = create_table_statements(table, mysql.dialect())[0]

    assert table.foreign_keys == set()
    assert re.search(r"\bJSON\b|\bENUM\b|REFERENCES", statement) is None


@pytest.mark.parametrize("dialect_name", SERVER_DIALECTS)
def test_the_migrations_name_no_collation_that_only_mysql_has(dialect_name: str) -> None:
    text = migration_sql(dialect_name)

    assert "0900" not in text
    assert "uca1400" not in text
    assert set(re.findall(r"COLLATE (\w+)", text)) == {"ascii_bin", "utf8mb4_bin", "utf8mb4_unicode_520_ci"}


@pytest.mark.parametrize("dialect_name", SERVER_DIALECTS)
def test_a_text_column_of_a_migration_has_no_default_that_mysql_refuses(dialect_name: str) -> None:
    """BLOB and TEXT take no literal default on MySQL; MariaDB allows it."""
    text = migration_sql(dialect_name)

    assert re.findall(r"^.*\b(?:LONG|MEDIUM|TINY)?TEXT\b.*DEFAULT.*$", text, flags=re.MULTILINE) == []


def test_mysql_and_mariadb_get_the_same_schema() -> None:
    assert migration_sql("mysql") == migration_sql("mariadb")
