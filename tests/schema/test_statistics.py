"""What a period shows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.queries import statistics
from e2edebug_schema.queries.statistics import (
    EndpointStatistics,
    RepeatedStatement,
    StatementStatistics,
    Totals,
    WorkflowStatistics,
    failing_workflows,
    percentile,
    repeated_statements,
    slowest_endpoints,
    slowest_statements,
    totals,
    workflow_statistics,
)


def test_totals_count_the_rows_of_the_period(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.session("a")
    rows.session("b", at_ms=5000)
    rows.step("a")
    rows.step("a", at_ms=-1)
    rows.error()
    rows.snapshot()

    assert totals(engine, since=noon, until=noon + timedelta(seconds=5)) == Totals(
        sessions=1, steps=1, snapshots=1, errors=1
    )


def test_endpoints_are_ranked_by_their_p95(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    for number in range(20):
        rows.step(f"fast-{number}", duration_ms=10, component="ProductViewSet", operation="list")
    rows.step("slow-1", duration_ms=300, status="failed")
    rows.step("slow-2", duration_ms=100)
    rows.step("slow-1", duration_ms=9000, kind="internal", operation="no request")
    rows.step("slow-1", duration_ms=9000, layer="database", kind="client")

    assert slowest_endpoints(engine, since=noon) == [
        EndpointStatistics(
            service="shop", component="CheckoutView", operation="create", count=2, failed=1, mean_ms=200.0,
            p95_ms=300.0, max_ms=300.0, slowest_correlation_id="slow-1",
        ),
        EndpointStatistics(
            service="shop", component="ProductViewSet", operation="list", count=20, failed=0, mean_ms=10.0,
            p95_ms=10.0, max_ms=10.0, slowest_correlation_id="fast-9",
        ),
    ]  # fmt: skip


def test_repeated_statements_name_the_worst_request(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    repeated = {"repeat_digest": "1" * 32, "repeat_statement": "SELECT * FROM review WHERE product_id = ?"}
    rows.session("a", repeat_count=12, workflow_type="browse", **repeated)
    rows.session("b", repeat_count=37, **repeated)
    rows.session("c", repeat_count=2, repeat_digest="2" * 32, repeat_statement="SELECT 1")

    assert repeated_statements(engine, since=noon) == [
        RepeatedStatement(
            digest="1" * 32, statement="SELECT * FROM review WHERE product_id = ?", sessions=2, most_repeats=37,
            worst_correlation_id="b", workflow_types=("browse", "checkout"),
        )
    ]  # fmt: skip


def test_repeated_statements_may_have_more_counts_than_are_looked_up_one_by_one(
    engine: sa.Engine, rows: Any, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_MOST_COUNTS", 3)
    repeated = {"repeat_digest": "1" * 32, "repeat_statement": "SELECT 1"}
    for number, count in enumerate((4, 5, 6, 7, 8, 8, 9)):
        rows.session(f"n{number}", repeat_count=count, **repeated)
    rows.session("yesterday", at_ms=-86_400_000, repeat_count=10, **repeated)

    (found,) = repeated_statements(engine, since=noon)

    assert (found.sessions, found.most_repeats, found.workflow_types) == (6, 9, ("checkout",))
    assert repeated_statements(engine, since=noon, at_least=11) == []


def test_statements_are_ranked_by_the_time_they_took_together(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    database = {"layer": "database", "kind": "client", "operation": "SELECT"}
    for number in range(10):
        rows.step(
            f"a{number}",
            duration_ms=3,
            component="cart",
            statement="SELECT cart",
            statement_digest="1" * 32,
            **database,
        )
    rows.step(
        "b", duration_ms=20, component="product", statement="SELECT product", statement_digest="2" * 32,
        code_location="shop/views.py:7", **database,
    )  # fmt: skip

    assert slowest_statements(engine, since=noon) == [
        StatementStatistics(
            digest="1" * 32, statement="SELECT cart", component="cart", count=10, total_ms=30.0, mean_ms=3.0,
            p95_ms=3.0, max_ms=3.0, slowest_correlation_id="a9", code_location=None,
        ),
        StatementStatistics(
            digest="2" * 32, statement="SELECT product", component="product", count=1, total_ms=20.0, mean_ms=20.0,
            p95_ms=20.0, max_ms=20.0, slowest_correlation_id="b", code_location="shop/views.py:7",
        ),
    ]  # fmt: skip


def test_workflows_are_ranked_by_their_share_of_failures(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.session("l1", workflow_type="login", duration_ms=10)
    rows.session("l2", workflow_type="login", duration_ms=None, status="in_progress")
    rows.session("c1", at_ms=1, duration_ms=500, status="failed")
    rows.session("c2", at_ms=2, duration_ms=100, status="failed")
    rows.session("c3", at_ms=3, duration_ms=300)
    rows.session("t1", workflow_type="report", status="timeout", duration_ms=None)

    login = WorkflowStatistics(
        workflow_type="login", count=2, completed=1, failed=0, timeout=0, in_progress=1, mean_ms=10.0, p95_ms=10.0,
        max_ms=10.0, slowest_correlation_id="l1", failed_correlation_id=None,
    )  # fmt: skip
    checkout = WorkflowStatistics(
        workflow_type="checkout", count=3, completed=1, failed=2, timeout=0, in_progress=0, mean_ms=300.0,
        p95_ms=500.0, max_ms=500.0, slowest_correlation_id="c1", failed_correlation_id="c2",
    )  # fmt: skip
    report = WorkflowStatistics(
        workflow_type="report", count=1, completed=0, failed=0, timeout=1, in_progress=0, mean_ms=None, p95_ms=None,
        max_ms=None, slowest_correlation_id=None, failed_correlation_id=None,
    )  # fmt: skip
    assert workflow_statistics(engine, since=noon) == [checkout, login, report]
    assert failing_workflows(engine, since=noon) == [checkout, report]


def test_a_percentile_is_the_value_at_its_rank() -> None:
    values = [float(value) for value in range(100, 0, -1)]

    assert [percentile(values, percent) for percent in (0, 50, 95, 100)] == [1.0, 50.0, 95.0, 100.0]
