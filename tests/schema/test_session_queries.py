"""The list of workflow sessions and the search for one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.queries.sessions import (
    Session,
    SessionFilter,
    find_session,
    list_sessions,
    sessions_of_steps,
    sessions_with_prefix,
    sessions_within,
)


def test_a_session_is_read_as_it_was_stored(engine: sa.Engine, rows: Any) -> None:
    rows.session(
        "abc-1", user_id="7", user_label="ann", trace_id="1" * 32, step_count=3, query_count=2, repeat_count=2,
        repeat_digest="2" * 32, repeat_statement="SELECT ?", slowest_step="CheckoutView create", slowest_ms=99.5,
        metadata='{"cart": 3}', service_release="1.4",
    )  # fmt: skip

    found = find_session(engine, "abc-1")

    assert found == Session(
        id=1, correlation_id="abc-1", workflow_type="checkout", user_id="7", user_label="ann", session_key=None,
        trace_id="1" * 32, parent_correlation_id=None, root_operation="POST /api/checkout/", service="shop",
        service_release="1.4", start_time=datetime(2026, 11, 23, 12, tzinfo=UTC),
        end_time=datetime(2026, 11, 23, 12, 0, 0, 100_000, tzinfo=UTC), duration_ms=100.0, status="completed",
        step_count=3, query_count=2, error_count=0, repeat_count=2, repeat_digest="2" * 32,
        repeat_statement="SELECT ?", slowest_step="CheckoutView create", slowest_ms=99.5, metadata={"cart": 3},
    )  # fmt: skip


def test_a_session_is_found_by_its_id_its_beginning_or_one_of_its_traces(engine: sa.Engine, rows: Any) -> None:
    rows.session("checkout-0001", trace_id="f" * 32)
    rows.step("checkout-0001", trace_id="0af7651916cd43dd8448eb211c80319c")

    references = [
        "checkout-0001", "checkout-00", " checkout-0001 ", "0af7651916cd43dd8448eb211c80319c",
        "0AF76519-16CD-43DD-8448-EB211C80319C",
    ]  # fmt: skip
    found = {reference: find_session(engine, reference) for reference in references}

    assert [reference for reference, session in found.items() if session is None] == []


def test_a_short_shared_or_unknown_reference_finds_nothing(engine: sa.Engine, rows: Any) -> None:
    rows.session("checkout-0001")
    rows.session("checkout-0002")

    references = ["check", "checkout-", "checkout%", "checkout_", "", "x" * 100, "é", "checkout-é", "f" * 32]
    found = {reference: find_session(engine, reference) for reference in references}

    assert [reference for reference, session in found.items() if session is not None] == []


def test_pages_follow_each_other_without_gap_or_overlap(engine: sa.Engine, rows: Any) -> None:
    """Sessions that started in the same microsecond too: the id decides."""
    for number in range(7):
        rows.session(f"s{number}", at_ms=number // 3)

    pages, before = [], None
    while page := list_sessions(engine, limit=2, before=before):
        pages.append([session.correlation_id for session in page])
        before = page[-1].key

    assert pages == [["s6", "s5"], ["s4", "s3"], ["s2", "s1"], ["s0"]]


FILTERS = [
    (SessionFilter(), ["c", "b", "a"]),
    (SessionFilter(workflow_type="login"), ["b"]),
    (SessionFilter(status="failed"), ["c"]),
    (SessionFilter(user="7"), ["a"]),
    (SessionFilter(user="ann"), ["a"]),
    (SessionFilter(service="blog"), ["b"]),
    (SessionFilter(service_release="2.0"), ["c"]),
    (SessionFilter(since=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)), ["c", "b"]),
    (SessionFilter(until=datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)), ["a"]),
    (SessionFilter(slower_than_ms=150), ["c"]),
    (SessionFilter(with_errors=True), ["c"]),
    (SessionFilter(repeated_at_least=5), ["a"]),
    (SessionFilter(workflow_type="login", status="failed"), []),
]


def test_a_filter_keeps_what_fits(engine: sa.Engine, rows: Any) -> None:
    rows.session("a", user_id="7", user_label="ann", repeat_count=37)
    rows.session("b", at_ms=1000, workflow_type="login", service="blog")
    rows.session("c", at_ms=2000, status="failed", duration_ms=200, error_count=1, service_release="2.0")

    found = [[session.correlation_id for session in list_sessions(engine, filters=given)] for given, _ in FILTERS]

    assert found == [expected for _, expected in FILTERS]


def test_a_filter_takes_times_of_any_zone(engine: sa.Engine, rows: Any) -> None:
    rows.session("a")
    zone = datetime.now(UTC).astimezone().tzinfo
    moment = datetime(2026, 11, 23, 12, tzinfo=UTC).astimezone(zone) - timedelta(seconds=1)

    assert len(list_sessions(engine, filters=SessionFilter(since=moment))) == 1


def test_a_naive_time_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="has no time zone"):
        list_sessions(engine, filters=SessionFilter(since=datetime(2026, 11, 23)))


def test_metadata_written_by_hand_does_not_hide_the_session(engine: sa.Engine, rows: Any) -> None:
    rows.session("abc-1", metadata="{oops")

    found = find_session(engine, "abc-1")

    assert found is not None
    assert found.metadata == {"text": "{oops"}


def test_the_sessions_that_share_a_beginning_are_listed_by_id(engine: sa.Engine, rows: Any) -> None:
    for number in (3, 1, 2):
        rows.session(f"checkout-{number}")
    rows.session("checkout_4")

    found = {
        prefix: [one.correlation_id for one in sessions_with_prefix(engine, prefix, limit=2)]
        for prefix in (" checkout-", "checkout_", "check", "checkout%", "checkout-é")
    }

    assert found == {
        " checkout-": ["checkout-1", "checkout-2"], "checkout_": ["checkout_4"], "check": [], "checkout%": [],
        "checkout-é": [],
    }  # fmt: skip


@pytest.mark.parametrize("status", ["completed", "in_progress"])
def test_the_sessions_started_within_another_are_found_in_order(engine: sa.Engine, rows: Any, status: str) -> None:
    rows.session("outer", duration_ms=100, status=status)
    rows.session("second", at_ms=50, parent_correlation_id="outer")
    rows.session("first", at_ms=10, parent_correlation_id="outer")
    rows.session("of-another", at_ms=20, parent_correlation_id="other")
    rows.session("none", at_ms=20)
    outer = find_session(engine, "outer")
    assert outer is not None

    found = sessions_within(engine, outer)

    assert [one.correlation_id for one in found] == ["first", "second"]


def test_the_session_of_a_step_is_found_by_its_trace_and_span(engine: sa.Engine, rows: Any) -> None:
    rows.session("outer")
    rows.step("outer", trace_id="a" * 32, span_id="1" * 16)
    rows.step("outer", trace_id="b" * 32, span_id="2" * 16)
    rows.step("without-session", trace_id="a" * 32, span_id="3" * 16)

    found = sessions_of_steps(engine, "a" * 32, {"1" * 16, "2" * 16, "3" * 16, "4" * 16})

    assert {span_id: one.correlation_id for span_id, one in found.items()} == {"1" * 16: "outer"}
    assert sessions_of_steps(engine, "a" * 32, []) == {}
