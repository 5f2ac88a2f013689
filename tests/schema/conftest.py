"""Rows for query tests: each with sensible defaults, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.tables import error_group, error_log, performance_snapshot, trace_step, workflow_session

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class Rows:
    """Writes rows into a store. Times are given as milliseconds after noon."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._ids = count(1)

    def session(self, correlation_id: str, *, at_ms: float = 0, duration_ms: float | None = 100, **values: Any) -> None:
        start = NOON + timedelta(milliseconds=at_ms)
        end = None if duration_ms is None else start + timedelta(milliseconds=duration_ms)
        defaults = {
            "correlation_id": correlation_id, "workflow_type": "checkout", "start_time": start, "end_time": end,
            "duration_ms": duration_ms, "status": "completed", "root_operation": "POST /api/checkout/",
            "service": "shop",
        }  # fmt: skip
        self._insert(workflow_session, defaults | values)

    def step(self, correlation_id: str, *, at_ms: float = 0, duration_ms: float | None = 10, **values: Any) -> None:
        number = next(self._ids)
        start = NOON + timedelta(milliseconds=at_ms)
        end = None if duration_ms is None else start + timedelta(milliseconds=duration_ms)
        defaults = {
            "correlation_id": correlation_id, "trace_id": f"{1:032x}", "span_id": f"{number:016x}", "layer": "api",
            "component": "CheckoutView", "operation": "create", "kind": "server", "service": "shop",
            "start_time": start, "end_time": end, "duration_ms": duration_ms, "status": "completed", "metadata": "{}",
        }  # fmt: skip
        self._insert(trace_step, defaults | values)

    def error(self, *, at_ms: float = 0, **values: Any) -> None:
        number = next(self._ids)
        defaults = {
            "event_key": f"{number:032x}", "timestamp": NOON + timedelta(milliseconds=at_ms), "layer": "api",
            "component": "CheckoutView", "severity": "error", "error_type": "ValueError", "error_message": "wrong",
            "stack_trace": "Traceback", "fingerprint": f"{1:032x}", "metadata": "{}",
        }  # fmt: skip
        self._insert(error_log, defaults | values)

    def group(self, number: int, *, seen_ms: float = 0, **values: Any) -> None:
        seen = NOON + timedelta(milliseconds=seen_ms)
        defaults = {
            "fingerprint": f"{number:032x}", "title": f"error {number}", "error_type": "ValueError", "layer": "api",
            "first_seen": NOON, "last_seen": seen, "occurrences": 1,
        }  # fmt: skip
        self._insert(error_group, defaults | values)

    def snapshot(self, *, at_s: float = 0, **values: Any) -> None:
        number = next(self._ids)
        defaults = {
            "event_key": f"{number:032x}", "timestamp": NOON + timedelta(seconds=at_s), "interval_s": 60,
            "service": "shop", "layer": "api", "component": "CheckoutView", "metric_name": "response_time",
            "unit": "ms", "metadata": "{}",
        }  # fmt: skip
        self._insert(performance_snapshot, defaults | values)

    def _insert(self, table: sa.Table, values: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(table.insert(), values)


@pytest.fixture
def rows(engine: sa.Engine) -> Rows:
    """Writes rows into the store of `engine`."""
    return Rows(engine)


@pytest.fixture
def noon() -> datetime:
    """The moment from which Rows counts."""
    return NOON
