"""A table in one piece is cut into days, by one command that says first what it takes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import SchemaState, check, migrate
from e2edebug_schema.partition_conversion import convert, plan_conversions
from e2edebug_schema.partitions import list_partitions
from e2edebug_schema.tables import trace_step


@pytest.fixture
def in_one_piece(mariadb_server: Any) -> Iterator[sa.Engine]:
    """Steps of five days in a table as a dump without partitions would have left it."""
    url = mariadb_server.create_database()
    engine = create_store_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE debugging_trace_step REMOVE PARTITIONING")
        connection.exec_driver_sql("ALTER TABLE debugging_trace_step DROP PRIMARY KEY, ADD PRIMARY KEY (id)")
        for day in range(5):
            connection.execute(
                trace_step.insert(),
                {"correlation_id": "a", "trace_id": "1" * 32, "span_id": f"{day:016}", "layer": "api",
                 "start_time": datetime.now(UTC) - timedelta(days=day), "status": "completed", "metadata": "{}"},
            )  # fmt: skip
    yield engine
    engine.dispose()
    mariadb_server.drop_database(url)


def test_only_tables_without_partitions_are_planned(in_one_piece: sa.Engine) -> None:
    [planned] = plan_conversions(in_one_piece)

    today = datetime.now(UTC).date()
    assert (planned.table.name, planned.first_day, planned.days) == (
        "debugging_trace_step", today - timedelta(days=4), 19,
    )  # fmt: skip
    assert planned.size_bytes > 0
    assert planned.statement.startswith("ALTER TABLE debugging_trace_step DROP PRIMARY KEY, ADD PRIMARY KEY")


def test_a_converted_table_is_as_if_it_had_been_made_so(in_one_piece: sa.Engine) -> None:
    [planned] = plan_conversions(in_one_piece)

    convert(in_one_piece, planned)

    with in_one_piece.connect() as connection:
        days = list_partitions(connection, trace_step)
        counts = [
            connection.exec_driver_sql(f"SELECT COUNT(*) FROM debugging_trace_step PARTITION ({day.name})").scalar_one()
            for day in days
        ]
        key = sa.inspect(connection).get_pk_constraint("debugging_trace_step")["constrained_columns"]
    assert counts == [1, 1, 1, 1, 1, *([0] * 15)]
    assert key == ["id", "start_time"]
    assert (plan_conversions(in_one_piece), check(in_one_piece)) == ([], SchemaState.CURRENT)


def test_converting_twice_changes_nothing(in_one_piece: sa.Engine) -> None:
    [planned] = plan_conversions(in_one_piece)
    convert(in_one_piece, planned)

    convert(in_one_piece, planned)

    assert plan_conversions(in_one_piece) == []


def test_a_very_old_row_does_not_make_a_thousand_partitions(in_one_piece: sa.Engine) -> None:
    with in_one_piece.begin() as connection:
        connection.exec_driver_sql("UPDATE debugging_trace_step SET start_time = '1999-01-01' LIMIT 1")

    [planned] = plan_conversions(in_one_piece)
    convert(in_one_piece, planned)

    assert planned.days <= 401
    with in_one_piece.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM debugging_trace_step").scalar_one() == 5


def test_an_empty_table_gets_partitions_from_today_on(in_one_piece: sa.Engine) -> None:
    with in_one_piece.begin() as connection:
        connection.exec_driver_sql("DELETE FROM debugging_trace_step")

    [planned] = plan_conversions(in_one_piece)

    assert (planned.first_day, planned.days) == (datetime.now(UTC).date(), 15)


def test_sqlite_has_nothing_to_convert(tmp_path: Any) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    migrate(engine)

    assert plan_conversions(engine) == []
    engine.dispose()
