"""Snapshots and requests as the exporters would have stored them."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.tables import error_log, performance_snapshot, trace_step, workflow_session

_numbers = count(1)


def snapshot(
    at: datetime,
    component: str,
    values: list[float],
    *,
    layer: str = "api",
    metric_name: str = "response_time",
    errors: int = 0,
    correlation_id: str | None = "",
    service: str = "shop",
) -> dict[str, Any]:
    histogram = Histogram.of(values)
    return {
        "event_key": f"{next(_numbers):032x}",
        "correlation_id": f"worst-{component}"[:64] if correlation_id == "" else correlation_id,
        "timestamp": at,
        "interval_s": 60.0,
        "service": service,
        "service_instance": "one",
        "layer": layer,
        "component": component,
        "metric_name": metric_name,
        "metric_kind": "histogram",
        "metric_value": histogram.percentile(95),
        "unit": "ms",
        "count": len(values),
        "sum": sum(values),
        "min": min(values),
        "max": max(values),
        "error_count": errors,
        "buckets": histogram.encode(),
        "metadata": "{}",
    }


def gauge(
    at: datetime, component: str, value: float, *, layer: str, metric_name: str, metadata: str = "{}"
) -> dict[str, Any]:
    return {
        "event_key": f"{next(_numbers):032x}", "timestamp": at, "interval_s": 60.0, "service": "shop",
        "service_instance": "one", "layer": layer, "component": component, "metric_name": metric_name,
        "metric_kind": "gauge", "metric_value": value, "unit": "%", "count": 1, "sum": value, "min": value, "max": value,
        "error_count": 0, "buckets": None, "metadata": metadata, "correlation_id": None,
    }  # fmt: skip


def store(engine: sa.Engine, *rows: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(performance_snapshot), list(rows))


def minutes(engine: sa.Engine, now: datetime, component: str, value: float, *, number: int = 5, **facts: Any) -> None:
    """Store the last *number* minutes of a component, twenty requests each."""
    store(
        engine,
        *(snapshot(now - timedelta(minutes=ago), component, [value] * 20, **facts) for ago in range(number, 0, -1)),
    )


def step(correlation_id: str, at: datetime, duration_ms: float, **facts: Any) -> dict[str, Any]:
    number = next(_numbers)
    return {
        "correlation_id": correlation_id, "trace_id": f"{number:032x}", "span_id": f"{number:016x}",
        "parent_span_id": None, "layer": "api", "component": "Checkout", "operation": "POST", "kind": "server",
        "service": "shop", "start_time": at, "end_time": at + timedelta(milliseconds=duration_ms),
        "duration_ms": duration_ms, "status": "completed", "status_message": "", "statement": None,
        "statement_digest": None, "code_location": None, "metadata": "{}",
    } | facts  # fmt: skip


def query(correlation_id: str, at: datetime, duration_ms: float, statement: str, **facts: Any) -> dict[str, Any]:
    return step(
        correlation_id, at, duration_ms, layer="database", component="shop_review", operation="SELECT", kind="client",
        statement=statement, statement_digest=f"{abs(hash(statement)):032x}"[:32], code_location="shop/views.py:31",
    ) | facts  # fmt: skip


def store_steps(engine: sa.Engine, *rows: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(trace_step), list(rows))


def store_session(engine: sa.Engine, correlation_id: str, at: datetime, **facts: Any) -> None:
    row = {"correlation_id": correlation_id, "start_time": at, "status": "completed", "service": "shop"} | facts
    with engine.begin() as connection:
        connection.execute(sa.insert(workflow_session).values(row))


def store_error(engine: sa.Engine, at: datetime, **facts: Any) -> None:
    row = {
        "event_key": f"{next(_numbers):032x}", "timestamp": at, "layer": "api", "component": "Checkout",
        "error_type": "ValueError", "error_message": "no such cart", "stack_trace": "", "fingerprint": "f" * 32,
        "metadata": "{}", "correlation_id": "failing",
    } | facts  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(error_log).values(row))
