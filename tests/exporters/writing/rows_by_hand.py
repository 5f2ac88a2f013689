"""Rows made by hand, and the counts that a test asks of the store."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from e2edebug_exporters.rows import ErrorRow, SessionFacts, SnapshotRow, StepRow

ROOT = SessionFacts(is_root=True, status="completed", is_explicit=False, root_operation="GET /cart")


def step(number: int = 1, *, trace: int = 1, facts: SessionFacts | None = None, **values: Any) -> StepRow:
    """Return a step of 2.5 ms that started *number* ms into its minute."""
    row: dict[str, Any] = {
        "correlation_id": f"c-{trace}",
        "trace_id": f"{trace:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": None,
        "layer": "database",
        "component": "shop_product",
        "operation": "SELECT",
        "kind": "client",
        "service": "shop",
        "start_time": f"2026-09-21 14:13:20.{number * 1000:06d}",
        "end_time": f"2026-09-21 14:13:20.{number * 1000 + 2500:06d}",
        "duration_ms": 2.5,
        "status": "completed",
        "status_message": "",
        "statement": "SELECT * FROM shop_product WHERE id = ?",
        "statement_digest": "d" * 32,
        "code_location": "shop/views.py:12",
        "metadata": '{"db.rows": 1}',
        "session_facts": facts,
    }
    return StepRow.of(row | values)


def changed(row: StepRow, **values: Any) -> StepRow:
    """Return *row* with other values of any of its columns."""
    return StepRow.of(row.columns | {"session_facts": row.session_facts} | values)


def root(number: int = 0, *, trace: int = 1, status: str | None = "completed", **values: Any) -> StepRow:
    """Return the step of a whole request, which speaks for its session."""
    values = {"layer": "api", "statement": None, "statement_digest": None, "operation": "GET /cart"} | values
    return step(number, trace=trace, facts=replace(ROOT, status=status), **values)


def started(row: StepRow) -> StepRow:
    """Return *row* as it was announced when its span began."""
    facts = None if row.session_facts is None else replace(row.session_facts, status=None)
    return changed(row, end_time=None, duration_ms=None, status="started", session_facts=facts)


def error(number: int = 1, *, trace: int = 1, **values: Any) -> ErrorRow:
    row = ErrorRow(
        event_key=f"{number:032x}",
        correlation_id=f"c-{trace}",
        trace_id=f"{trace:032x}",
        span_id=f"{number:016x}",
        timestamp=f"2026-09-21 14:13:20.{number * 1000:06d}",
        layer="api",
        component="CartView",
        severity="error",
        error_type="ValueError",
        error_message="no such product",
        stack_trace="Traceback …",
        fingerprint="f" * 32,
        fingerprint_version=1,
        user_id=None,
        request_path="/cart",
        request_method="GET",
        user_agent=None,
        ip_address=None,
        service="shop",
        service_release="1.4.2",
        metadata="{}",
        error_class="code",
        group_title="ValueError: no such product",
    )
    return row._replace(**values)


def snapshot(number: int = 1, **values: Any) -> SnapshotRow:
    row = SnapshotRow(
        event_key=f"{number:032x}",
        correlation_id=None,
        trace_id=None,
        timestamp="2026-09-21 14:13:20.000000",
        interval_s=60.0,
        service="shop",
        service_instance="one",
        layer="api",
        component="CartView",
        metric_name="response_time",
        metric_kind="histogram",
        metric_value=12.5,
        unit="ms",
        count=4,
        sum=40.0,
        min=1.0,
        max=30.0,
        p50=9.0,
        p95=30.0,
        p99=30.0,
        error_count=0,
        buckets='{"s":3,"z":0,"b":[[8,4]]}',
        threshold_warning=None,
        threshold_critical=None,
        metadata="{}",
    )
    return row._replace(**values)


def count(engine: sa.Engine, table: str, where: str = "1 = 1") -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text(f"SELECT COUNT(*) FROM {table} WHERE {where}")).scalar_one())


def execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def session(engine: sa.Engine, correlation_id: str = "c-1") -> dict[str, Any]:
    """Return one session as the store holds it, without its surrogate id and times of its own."""
    from e2edebug_schema.tables import workflow_session

    with engine.connect() as connection:
        query = sa.select(workflow_session).where(workflow_session.c.correlation_id == correlation_id)
        row = dict(connection.execute(query).one()._mapping)
    del row["id"]
    return row
