"""What reading costs, counted: rows that the server touches on a store of some days, never milliseconds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.loader import load
from e2edebug_schema.queries.error_summary import error_counts
from e2edebug_schema.queries.errors import error_groups, errors_of
from e2edebug_schema.queries.sessions import SessionFilter, find_session, list_sessions
from e2edebug_schema.queries.snapshots import merged_histograms
from e2edebug_schema.queries.statistics import repeated_statements
from e2edebug_schema.queries.steps import steps_of
from e2edebug_schema.rollup_tables import rollup_hour
from e2edebug_schema.tables import error_log, performance_snapshot, trace_step, workflow_session

LAST = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SESSIONS = 500
"""Over two days, so that a day is half of them, and an index is worth its use."""

Ask = Callable[[sa.Connection], Any]


@pytest.fixture
def full_store(engine: sa.Engine) -> sa.Engine:
    """A store of two days whose server knows how its values are spread."""
    load(engine, sessions=SESSIONS, days=2, until=LAST, seed=7)
    tables = (trace_step, workflow_session, performance_snapshot, error_log)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("ANALYZE")
        else:
            connection.exec_driver_sql(f"ANALYZE TABLE {', '.join(table.name for table in tables)}").all()
    return engine


def one_workflow(connection: sa.Connection) -> Any:
    correlation_id = connection.execute(sa.select(workflow_session.c.correlation_id).limit(1)).scalar_one()
    session = find_session(connection, correlation_id)
    return (
        session,
        steps_of(connection, correlation_id, session=session),
        errors_of(connection, correlation_id, session=session),
    )


READS: dict[str, Ask] = {
    "one workflow": one_workflow,
    "latest sessions": lambda connection: list_sessions(connection),
    "failed sessions": lambda connection: list_sessions(connection, filters=SessionFilter(status="failed")),
    "sessions of a user": lambda connection: list_sessions(connection, filters=SessionFilter(user="7")),
    "p95 of a day": lambda connection: merged_histograms(connection, since=LAST - DAY),
    "errors of a day": lambda connection: (
        error_groups(connection, since=LAST - DAY), error_counts(connection, since=LAST - DAY, until=LAST),
    ),
    "repeated statements": lambda connection: repeated_statements(connection, since=LAST - DAY),
}  # fmt: skip


@pytest.mark.parametrize("name", READS)
def test_no_read_goes_through_all_steps(full_store: sa.Engine, name: str) -> None:
    statements: list[tuple[str, Any]] = []
    with full_store.connect() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _cu, sql, given, *_: statements.append((sql, given))
        )
        READS[name](connection)
        plans = [row for sql, given in list(statements) for row in plan(connection, sql, given)]

    assert plans
    assert [row for row in plans if row["scans"] and row["table"] == trace_step.name] == []


def test_a_workflow_without_errors_is_two_statements_the_session_and_its_steps(full_store: sa.Engine) -> None:
    """What the session says spares the look for its days and for errors."""
    statements: list[str] = []
    columns = workflow_session.c
    with full_store.connect() as connection:
        correlation_id = connection.execute(
            sa.select(columns.correlation_id).where(columns.error_count == 0, columns.step_count > 1).limit(1)
        ).scalar_one()
        sa.event.listen(connection, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql))
        session = find_session(connection, correlation_id)
        assert session is not None
        steps = steps_of(connection, correlation_id, session=session)
        assert errors_of(connection, correlation_id, session=session) == []

    assert len(steps) == session.step_count
    assert len(statements) == 2


def test_a_session_that_was_read_finds_what_is_found_without_it(full_store: sa.Engine) -> None:
    with full_store.connect() as connection:
        failed = list_sessions(connection, filters=SessionFilter(with_errors=True), limit=20)
        for session in (*failed, *list_sessions(connection, limit=20)):
            own = session.correlation_id
            assert steps_of(connection, own, session=session) == steps_of(connection, own)
            errors = errors_of(connection, own, session=session)
            assert len(errors) == session.error_count
            assert errors == errors_of(connection, own)
    assert len(failed) > 3


def plan(connection: sa.Connection, statement: str, given: Any) -> list[dict[str, Any]]:
    """Return the tables of a statement, and whether all their rows are read."""
    if connection.dialect.name == "sqlite":
        details = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
        return [
            {"table": word, "scans": detail.startswith("SCAN") and "INDEX" not in detail}
            for detail in details
            for word in detail.split()[1:2]
        ]
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", given).mappings().all()
    return [{"table": row["table"], "scans": row["type"] == "ALL"} for row in rows]


def rows_read(connection: sa.Connection, ask: Ask) -> int:
    """How many rows and index entries MariaDB touches for it, those of temporary tables too."""
    before = handler_reads(connection)
    ask(connection)
    return handler_reads(connection) - before


def handler_reads(connection: sa.Connection) -> int:
    rows = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
    return sum(int(count) for name, count in rows if name != "Handler_read_rnd_deleted")


@pytest.fixture
def server_store(full_store: sa.Engine) -> sa.Engine:
    """Only servers count what they touch."""
    if full_store.dialect.name == "sqlite":
        pytest.skip("SQLite does not count the rows that it reads")
    return full_store


@pytest.mark.parametrize("user", ["nobody", "shopper17"])
def test_the_sessions_of_a_user_are_read_alone(server_store: sa.Engine, user: str) -> None:
    """By id and by name, also when there are fewer than a page: not every session until the page is full."""
    with server_store.connect() as connection:
        read = rows_read(connection, lambda given: list_sessions(given, filters=SessionFilter(user=user)))

    assert read < 60


def test_a_workflow_is_looked_up_by_its_id_and_no_other_index_is_thought_of(server_store: sa.Engine) -> None:
    """To estimate what the bounds in time hold, a server would read ten pages of the index by time from its disk."""
    statements: list[tuple[str, Any]] = []
    with server_store.connect() as connection:
        (session,) = list_sessions(connection, filters=SessionFilter(with_errors=True), limit=1)
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _cu, sql, given, *_: statements.append((sql, given))
        )
        assert steps_of(connection, session.correlation_id, session=session)
        assert errors_of(connection, session.correlation_id, session=session)
        explained = [
            connection.exec_driver_sql(f"EXPLAIN {sql}", given).mappings().one() for sql, given in list(statements)
        ]

    assert [row["possible_keys"] for row in explained] == ["ix_step_correlation", "ix_error_correlation"]
    assert [row["key"] for row in explained] == ["ix_step_correlation", "ix_error_correlation"]


def test_a_day_of_p95_is_read_by_the_hour(server_store: sa.Engine) -> None:
    """Rows by hour and component, not by minute and process."""
    with server_store.connect() as connection:
        by_hour = rows_read(connection, READS["p95 of a day"])
        connection.execute(sa.delete(rollup_hour))
        by_minute = rows_read(connection, READS["p95 of a day"])

    assert by_hour < by_minute / 2, (by_hour, by_minute)


def test_repeated_statements_are_read_from_the_sessions_of_the_day_that_repeat(server_store: sa.Engine) -> None:
    """From an index, and not those that repeat nothing."""
    statements: list[tuple[str, Any]] = []
    with server_store.connect() as connection:
        read = rows_read(connection, lambda given: repeated_statements(given, since=LAST - DAY))
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _cu, sql, given, *_: statements.append((sql, given))
        )
        repeated_statements(connection, since=LAST - DAY)
        explained = [
            connection.exec_driver_sql(f"EXPLAIN {sql}", given).mappings().one() for sql, given in list(statements)
        ]

    assert [row["key"] for row in explained] == ["ix_session_repeat_start", "ix_session_repeat_start", "PRIMARY"]
    assert all("Using index" in row["Extra"] for row in explained[:2])
    # A day has half of the sessions; most of what is read here are the counts themselves, however many sessions there are.
    assert read < SESSIONS / 2 * 0.75


def test_sessions_that_repeat_more_than_any_does_are_not_looked_for_in_all(server_store: sa.Engine) -> None:
    with server_store.connect() as connection:
        read = rows_read(connection, lambda given: list_sessions(given, filters=SessionFilter(repeated_at_least=1000)))

    assert read < 5


def test_a_row_of_the_answer_is_a_group_not_a_session(full_store: sa.Engine) -> None:
    """What comes back from the server does not grow with the traffic."""
    fetched: list[int] = []
    with full_store.connect() as connection:
        sa.event.listen(connection, "after_cursor_execute", lambda _c, cursor, *_: fetched.append(cursor.rowcount))
        found = repeated_statements(connection, since=LAST - DAY)

    assert len(found) == 2
    if full_store.dialect.name != "sqlite":  # where a cursor does not know before it has fetched
        assert fetched[0] <= 40, "one for each different number of repetitions"
        assert sum(fetched[1:]) <= 4
