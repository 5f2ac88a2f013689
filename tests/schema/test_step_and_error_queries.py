"""Steps and errors of one workflow, lists of errors, and the groups they form."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.queries.errors import ErrorFilter, error_groups, errors_of, list_errors
from e2edebug_schema.queries.sessions import find_session
from e2edebug_schema.queries.steps import Step, steps_of


def test_a_step_is_read_as_it_was_stored(engine: sa.Engine, rows: Any) -> None:
    rows.step(
        "a", at_ms=0.25, duration_ms=0.04, layer="database", component="shop_cart", operation="SELECT", kind="client",
        parent_span_id="f" * 16, status_message="", statement="SELECT ?", statement_digest="d" * 32,
        code_location="shop/cart.py:12", metadata='{"db.rows": 2}',
    )  # fmt: skip

    assert steps_of(engine, "a") == [
        Step(
            id=1, correlation_id="a", trace_id=f"{1:032x}", span_id=f"{1:016x}", parent_span_id="f" * 16,
            layer="database", component="shop_cart", operation="SELECT", kind="client", service="shop",
            start_time=datetime(2026, 11, 23, 12, 0, 0, 250, tzinfo=UTC),
            end_time=datetime(2026, 11, 23, 12, 0, 0, 290, tzinfo=UTC), duration_ms=0.04, status="completed",
            status_message="", statement="SELECT ?", statement_digest="d" * 32, code_location="shop/cart.py:12",
            metadata={"db.rows": 2},
        )
    ]  # fmt: skip


def test_steps_come_in_the_order_in_which_they_started(engine: sa.Engine, rows: Any) -> None:
    rows.session("a", duration_ms=50)
    rows.step("a", at_ms=30, operation="third")
    rows.step("a", at_ms=0, operation="first")
    rows.step("a", at_ms=20, operation="second", trace_id="e" * 32)
    rows.step("b", at_ms=10, operation="another workflow's")

    assert [step.operation for step in steps_of(engine, "a")] == ["first", "second", "third"]


def test_steps_are_found_before_their_session_has_arrived(engine: sa.Engine, rows: Any) -> None:
    rows.step("a")

    assert len(steps_of(engine, "a")) == 1


@pytest.mark.parametrize("status", ["in_progress", "timeout"])
def test_a_workflow_that_goes_on_for_days_keeps_its_steps(engine: sa.Engine, rows: Any, status: str) -> None:
    rows.session("a", status=status, duration_ms=10)
    rows.step("a", at_ms=3 * 86_400_000, status="started", duration_ms=None)

    assert [step.end_time for step in steps_of(engine, "a")] == [None]


def test_the_session_of_another_workflow_hides_nothing(engine: sa.Engine, rows: Any) -> None:
    rows.session("a", duration_ms=10, error_count=1)
    rows.session("b", duration_ms=10)
    rows.step("a", at_ms=5)
    rows.error(at_ms=6, correlation_id="a")
    other = find_session(engine, "b")

    assert len(steps_of(engine, "a", session=other)) == 1
    assert len(errors_of(engine, "a", session=other)) == 1


def test_only_so_many_steps_are_read_as_were_asked_for(engine: sa.Engine, rows: Any) -> None:
    for number in range(4):
        rows.step("a", at_ms=number, operation=str(number))

    assert [step.operation for step in steps_of(engine, "a", limit=3)] == ["0", "1", "2"]


def test_errors_of_a_workflow_come_in_the_order_in_which_they_happened(engine: sa.Engine, rows: Any) -> None:
    rows.error(correlation_id="a", at_ms=2, error_type="Second", resolved=True)
    rows.error(correlation_id="a", at_ms=1, error_type="First")
    rows.error(correlation_id=None, error_type="Other")

    found = errors_of(engine, "a")

    assert [(error.error_type, error.resolved, error.metadata) for error in found] == [
        ("First", False, {}), ("Second", True, {}),
    ]  # fmt: skip


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_errors_of_a_workflow_are_found_however_far_from_it_they_are(engine: sa.Engine, rows: Any, days: int) -> None:
    rows.session("a", error_count=2)
    rows.error(correlation_id="a", at_ms=1, error_type="Near")
    rows.error(correlation_id="a", at_ms=days * 86_400_000 + 2, error_type="Other")

    in_order = ["Other", "Near"] if days < 0 else ["Near", "Other"]
    assert [error.error_type for error in errors_of(engine, "a")] == in_order
    assert [error.error_type for error in errors_of(engine, "a", limit=1)] == in_order[:1]


def test_a_workflow_without_errors_is_not_looked_for_among_them(engine: sa.Engine, rows: Any) -> None:
    rows.session("a", error_count=0)
    statements: list[str] = []
    with engine.connect() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql))

        assert errors_of(connection, "a") == []

    assert any("debugging_workflow_session" in statement for statement in statements)
    assert not any("debugging_error_log" in statement for statement in statements)


def test_errors_are_listed_newest_first_and_page_by_page(engine: sa.Engine, rows: Any) -> None:
    for number in range(5):
        rows.error(at_ms=number // 2, error_message=str(number))

    first = list_errors(engine, limit=3)
    second = list_errors(engine, limit=3, before=first[-1].key)

    assert [error.error_message for error in first + second] == ["4", "3", "2", "1", "0"]


FILTERS = [
    (ErrorFilter(layer="database"), ["b"]),
    (ErrorFilter(component="CartView"), ["a"]),
    (ErrorFilter(severity="critical"), ["a"]),
    (ErrorFilter(error_type="KeyError"), ["b"]),
    (ErrorFilter(fingerprint="9" * 32), ["a"]),
    (ErrorFilter(service_release="2.0"), ["b"]),
    (ErrorFilter(resolved=True), ["b"]),
    (ErrorFilter(resolved=False), ["a"]),
    (ErrorFilter(since=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)), ["b"]),
    (ErrorFilter(until=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)), ["a"]),
]


def test_an_error_filter_keeps_what_fits(engine: sa.Engine, rows: Any) -> None:
    rows.error(error_message="a", component="CartView", severity="critical", fingerprint="9" * 32)
    rows.error(
        at_ms=2000, error_message="b", layer="database", error_type="KeyError", service_release="2.0", resolved=True
    )

    found = [[error.error_message for error in list_errors(engine, filters=given)] for given, _ in FILTERS]

    assert found == [expected for _, expected in FILTERS]


def test_error_groups_come_with_the_latest_first(engine: sa.Engine, rows: Any, noon: datetime) -> None:
    rows.group(1, seen_ms=10)
    rows.group(2, seen_ms=30, status="resolved")
    rows.group(3, seen_ms=20)

    everything = error_groups(engine)
    page = error_groups(engine, before=everything[0].key)
    unresolved = error_groups(engine, status="unresolved", since=noon.replace(microsecond=15_000))

    assert [group.title for group in everything] == ["error 2", "error 3", "error 1"]
    assert [group.title for group in page] == ["error 3", "error 1"]
    assert [group.title for group in unresolved] == ["error 3"]
