"""How many statements one batch takes: a number that does not grow with its rows."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.tables import error_group

from .rows_by_hand import error, snapshot, step


@contextmanager
def statements_on(engine: sa.Engine) -> Iterator[list[str]]:
    """Give the statements that are executed, without BEGIN and COMMIT."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("rows", [1, 60, 500])
def test_steps_and_their_sessions_take_two_statements(engine: sa.Engine, rows: int) -> None:
    writer = BatchWriter(engine)
    writer.write(RowBatch(steps=[step(900)]), deadline=float("inf"))  # which looks at the server

    with statements_on(engine) as seen:
        writer.write(RowBatch(steps=[step(number) for number in range(rows)]), deadline=float("inf"))

    assert len(seen) == 2, seen


@pytest.mark.parametrize("has_resolved_group", [False, True])
def test_a_batch_of_everything_takes_seven_statements(engine: sa.Engine, has_resolved_group: bool) -> None:
    """One more where somebody has resolved a group: when, and in which release."""
    writer = BatchWriter(engine)
    writer.write(RowBatch(steps=[step(900)], errors=[error(900)]), deadline=float("inf"))
    if has_resolved_group:
        with engine.begin() as connection:
            connection.execute(sa.update(error_group).values(status="resolved"))
    numbers = range(60)
    batch = RowBatch(
        [step(number) for number in numbers],
        [error(number) for number in numbers],
        [snapshot(number) for number in numbers],
    )

    with statements_on(engine) as seen:
        result = writer.write(batch, deadline=float("inf"))

    assert result.stored == len(batch)
    # What is known of the errors, steps, errors, snapshots, sessions, groups, and the hours of the snapshots.
    assert len(seen) == 7 + has_resolved_group, seen
