"""Daily partitions on MySQL and MariaDB."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema import partitions as partitions_module
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.partitions import Partition, ensure_daily_partitions, list_partitions
from e2edebug_schema.table_ddl import LAST_PARTITION
from e2edebug_schema.tables import PARTITIONED_TABLES, trace_step


@pytest.fixture
def server_engine(mariadb_server: Any) -> Iterator[sa.Engine]:
    url = mariadb_server.create_database()
    engine = create_store_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()
    mariadb_server.drop_database(url)


def bounds(engine: sa.Engine, table: sa.Table = trace_step) -> list[date | None]:
    with engine.connect() as connection:
        return [partition.before for partition in list_partitions(connection, table)]


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def at(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    """Make *day* today for the maintenance."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls(day.year, day.month, day.day, 12, tzinfo=tz)

    monkeypatch.setattr(partitions_module, "datetime", Clock)


def test_a_new_store_has_a_partition_for_today_and_each_of_the_next_days(server_engine: sa.Engine) -> None:
    today = datetime.now(UTC).date()

    for table in PARTITIONED_TABLES:
        assert bounds(server_engine, table) == [*days(today + timedelta(1), today + timedelta(15)), None]


def test_partitions_are_named_for_their_day(server_engine: sa.Engine) -> None:
    with server_engine.connect() as connection:
        partitions = list_partitions(connection, trace_step)

    today = datetime.now(UTC).date()
    assert partitions[0] == Partition(f"p{today:%Y%m%d}", today + timedelta(1))
    assert partitions[-1] == Partition(LAST_PARTITION, None)


def test_each_day_adds_one_partition(server_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bounds(server_engine)
    at(monkeypatch, datetime.now(UTC).date() + timedelta(1))

    ensure_daily_partitions(server_engine)

    assert bounds(server_engine) == [*before[:-1], before[-2] + timedelta(1), None]  # type: ignore[operator]


def test_days_without_maintenance_get_their_partitions_later(
    server_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bounds(server_engine)
    at(monkeypatch, datetime.now(UTC).date() + timedelta(25))

    ensure_daily_partitions(server_engine, days_ahead=1)

    today = datetime.now(UTC).date()
    assert bounds(server_engine) == [*days(today + timedelta(1), today + timedelta(27)), None]
    assert len(before) == 16


def test_a_year_without_maintenance_does_not_make_a_year_of_partitions(
    server_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, datetime.now(UTC).date() + timedelta(365))

    ensure_daily_partitions(server_engine, days_ahead=1)

    assert len(bounds(server_engine)) < 16 + 35


def test_rows_whose_days_had_no_partition_are_moved_into_it(
    server_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(UTC) + timedelta(20)
    with server_engine.begin() as connection:
        connection.execute(
            trace_step.insert(),
            {"correlation_id": "a", "trace_id": "1" * 32, "span_id": "1" * 16, "layer": "api", "start_time": later,
             "status": "completed", "metadata": "{}"},
        )  # fmt: skip
    at(monkeypatch, later.date())

    ensure_daily_partitions(server_engine)

    with server_engine.connect() as connection:
        query = f"SELECT count(*) FROM debugging_trace_step PARTITION (p{later:%Y%m%d})"
        assert connection.exec_driver_sql(query).scalar_one() == 1


def test_the_past_can_be_cut_into_days_before_it_is_loaded(server_engine: sa.Engine) -> None:
    today = datetime.now(UTC).date()

    ensure_daily_partitions(server_engine, since=today - timedelta(3))

    assert bounds(server_engine)[:4] == days(today - timedelta(2), today + timedelta(1))


def test_maintenance_that_has_nothing_to_do_takes_no_lock(
    server_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("locked")

    monkeypatch.setattr(partitions_module, "hold_migration_lock", refuse)

    ensure_daily_partitions(server_engine)


def test_sqlite_has_no_partitions(tmp_path: Any) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    migrate(engine)

    ensure_daily_partitions(engine)

    assert bounds(engine) == []
    engine.dispose()


@pytest.mark.parametrize("stored", ["'2026-11-24'", "'2026-11-24 00:00:00'", "'2026-11-24 00:00:00.000000'"])
def test_a_bound_is_read_however_the_server_writes_it(stored: str) -> None:
    assert partitions_module._upper_bound(stored) == date(2026, 11, 24)
