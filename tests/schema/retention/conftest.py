"""Stores of their own with rows of many days: retention drops partitions, which the shared ones must keep."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.partitions import ensure_daily_partitions
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.tables import PARTITIONED_TABLES, partition_column, workflow_session

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def engine(empty_store_url: str) -> Iterator[sa.Engine]:
    """An engine on a store without rows."""
    engine = create_store_engine(empty_store_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    """Noon of today: partitions are made from the real day on."""
    return TODAY + timedelta(hours=12)


@pytest.fixture
def daily(engine: sa.Engine, rows: Any, noon: datetime) -> Callable[[int], None]:
    """Writes a session, a step, an error and a reading at nine o'clock of each of so many days up to today."""

    def write(days: int) -> None:
        # A day more than there are rows for, so that the oldest row has a day of its own.
        ensure_daily_partitions(engine, since=(TODAY - timedelta(days=days + 1)).date())
        for day in range(days):
            at_s = (TODAY + timedelta(hours=9) - timedelta(days=day) - noon).total_seconds()
            rows.session(f"day-{day}", at_ms=at_s * 1000)
            rows.step(f"day-{day}", at_ms=at_s * 1000)
            rows.error(at_ms=at_s * 1000)
            rows.snapshot(at_s=at_s, metric_value=5.0, metric_kind="gauge")

    return write


@pytest.fixture
def ages(engine: sa.Engine) -> Callable[[sa.Table], list[int]]:
    """How many days old the rows of a table are, oldest first."""

    def days(table: sa.Table) -> list[int]:
        name = partition_column(table) or ("start_time" if table is workflow_session else "last_seen")
        with reading(engine) as connection:
            times = connection.execute(sa.select(table.c[name]).order_by(table.c[name])).scalars()
            return [(TODAY.date() - time.date()).days for time in times]

    return days


@pytest.fixture
def shut_days(engine: sa.Engine) -> Callable[[], int]:
    """How many partitions of past days all tables have; 0 on SQLite."""
    from e2edebug_schema.retention.old_days import closed_days

    def count() -> int:
        with reading(engine) as connection:
            return sum(len(closed_days(connection, table, datetime.now(UTC))) for table in PARTITIONED_TABLES)

    return count
