"""How queries get their connection and turn rows into records."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Engine, Row, Select, Table, false

from e2edebug_schema.column_types import AsciiString
from e2edebug_schema.read_limits import READ_ONLY_OPTION

Source = Engine | Connection
"""What every query takes: an engine, or a connection whose transaction the caller owns."""

Record = TypeVar("Record")


@contextmanager
def reading(source: Source) -> Iterator[Connection]:
    """Give a connection that only reads; one that was given is left as it was."""
    if isinstance(source, Connection):
        yield source
        return
    with source.connect() as connection:
        yield connection.execution_options(**{READ_ONLY_OPTION: True})


def equals(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    """Return the condition that *column* holds *value*, which may be any text that a person typed."""
    if isinstance(column.type, AsciiString) and isinstance(value, str) and not value.isascii():
        return false()
    return column == value


def by_correlation(query: Select[Any], table: Table, index: str) -> Select[Any]:
    """Have a server look *query*'s workflow up in *index*, and think of no other.

    The bounds in time are there for the partitions. A server that has an index by time as well estimates how many rows
    lie in them, and reads up to ten pages of it from the disk to find out: of 15 for the steps of a workflow, 10 (seen).
    """
    for dialect in ("mysql", "mariadb"):
        query = query.with_hint(table, f"FORCE INDEX ({index})", dialect)
    return query


def columns_of(table: Table, record_type: type) -> list[Column[Any]]:
    """Return the columns that the fields of *record_type*, a dataclass, are named for."""
    return [table.columns[field.name] for field in fields(record_type)]


def to_record(record_type: type[Record], row: Row[Any]) -> Record:
    """Return the record of a row that was selected with columns_of()."""
    values = row._asdict()
    if "metadata" in values:
        values["metadata"] = decode_metadata(values["metadata"])
    return record_type(**values)


def decode_metadata(text: str | None) -> dict[str, Any]:
    """Return the object that a metadata column holds. A text that is none, written by hand, comes back under `text`."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"text": text}
    return value if isinstance(value, dict) else {"text": text}
