"""The text of the statements: what only MySQL 8 says, and that nothing a value holds can leave its literal."""

import itertools
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.rows import STEP_COLUMNS, RowBatch, StepRow
from e2edebug_exporters.statements.literals import LiteralCache, literal
from e2edebug_exporters.statements.step_values import StepValues
from e2edebug_exporters.statements.upserts import (
    GROUP_COLUMNS,
    MARIADB,
    MYSQL,
    SESSION_COLUMNS,
    SQLITE,
    STEP_KEY,
    UpsertDialect,
    group_upsert_tail,
    session_upsert_tail,
    step_finish_tail,
)
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.tables import error_group, trace_step, workflow_session

from .rows_by_hand import step

TAILS = {
    "sessions": session_upsert_tail,
    "groups": group_upsert_tail,
    "steps": lambda dialect: step_finish_tail(dialect, STEP_COLUMNS, STEP_KEY),
}


@pytest.mark.parametrize("tail", TAILS)
def test_mysql_names_the_new_row_by_alias_and_mariadb_by_function(tail: str) -> None:
    """`AS new` is a syntax error on MariaDB; VALUES() in an upsert is deprecated since MySQL 8.0.20."""
    mysql, mariadb, sqlite = (TAILS[tail](dialect) for dialect in (MYSQL, MARIADB, SQLITE))

    assert mysql.startswith(" AS new ON DUPLICATE KEY UPDATE ")
    assert "VALUES(" not in mysql
    assert mariadb.startswith(" ON DUPLICATE KEY UPDATE ")
    assert "new." not in mariadb
    assert sqlite.startswith(" ON CONFLICT (")
    assert re.sub(r"new\.(\w+)", r"VALUES(\1)", mysql.removeprefix(" AS new")) == mariadb


def test_the_whole_group_upsert_on_mysql_8() -> None:
    assert group_upsert_tail(MYSQL) == (
        " AS new ON DUPLICATE KEY UPDATE "
        "title = CASE WHEN debugging_error_group.title = '' THEN new.title ELSE debugging_error_group.title END, "
        "error_class = CASE WHEN debugging_error_group.error_class = '' THEN new.error_class "
        "ELSE debugging_error_group.error_class END, "
        "first_release = CASE WHEN new.first_seen < debugging_error_group.first_seen THEN new.first_release "
        "ELSE debugging_error_group.first_release END, "
        "first_seen = LEAST(debugging_error_group.first_seen, new.first_seen), "
        "last_release = CASE WHEN new.last_seen > debugging_error_group.last_seen THEN new.last_release "
        "ELSE debugging_error_group.last_release END, "
        "status = CASE WHEN debugging_error_group.status = 'resolved' "
        "AND new.status = 'regressed' THEN 'regressed' ELSE debugging_error_group.status END, "
        "last_seen = GREATEST(debugging_error_group.last_seen, new.last_seen), "
        "occurrences = debugging_error_group.occurrences + new.occurrences"
    )


@pytest.mark.parametrize("dialect", [MYSQL, MARIADB])
@pytest.mark.parametrize("tail", TAILS)
def test_no_column_is_read_after_it_was_assigned(dialect: UpsertDialect, tail: str) -> None:
    """Assignments run left to right there. Taking LEAST or GREATEST a second time is the one harmless exception."""
    text = TAILS[tail](dialect).partition("ON DUPLICATE KEY UPDATE ")[2]
    assigned: set[str] = set()
    for assignment in re.split(r", (?=\w+ = )", text):
        column, _, value = assignment.partition(" = ")
        value = re.sub(
            r"(LEAST|GREATEST)\(COALESCE\([^()]*(\([^()]*\))?[^()]*\), COALESCE\([^()]*(\([^()]*\))?[^()]*\)\)",
            "",
            value,
        )

        read = set(re.findall(r"debugging_\w+\.(\w+)", value))

        assert not read & assigned, column
        assigned.add(column)


def test_an_upsert_names_columns_of_its_table_only() -> None:
    assert set(SESSION_COLUMNS) <= set(workflow_session.columns.keys()) - {"id"}
    assert set(GROUP_COLUMNS) <= set(error_group.columns.keys()) - {"id"}
    assert set(STEP_COLUMNS) == set(trace_step.columns.keys()) - {"id"}


LITERAL = r"(NULL|-?[0-9][0-9.e+-]*|'[^'\\]*'|_utf8mb4 X'[0-9a-f]*')"
ROW = re.compile(rf"\({LITERAL}(,{LITERAL}){{17}}\)")


def written(values: StepValues, rows: Sequence[StepRow]) -> list[str]:
    return list(itertools.chain.from_iterable(values.of(rows)))


def test_text_with_a_quote_or_a_backslash_is_written_as_hexadecimal() -> None:
    row = step(1, metadata="{'; DROP TABLE x -- }", component="a\\b", operation="größer", status_message="plain")

    (values,) = written(StepValues(LiteralCache()), [row])

    assert ROW.fullmatch(values)
    assert values.startswith(f"('c-1','{row.trace_id}','{row.span_id}',NULL,'database',_utf8mb4 X'615c62',")
    assert "DROP" not in values
    assert "größer" not in values
    assert ",'plain'," in values


@given(texts=st.lists(st.text(alphabet=st.sampled_from("a'\\\"%;-\n\0ä😀 ")), min_size=17, max_size=17))
def test_no_value_leaves_its_literal(texts: list[str]) -> None:
    """Ids and times included, which are quoted without a look at each of them when all of a batch are harmless."""
    of_text = [column for column in STEP_COLUMNS if column != "duration_ms"]
    row = step(1, **dict(zip(of_text, texts, strict=True)))

    for values in written(StepValues(LiteralCache()), [row, step(2)]):
        assert ROW.fullmatch(values)


def test_numbers_that_sql_does_not_know_are_refused() -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ValueError, match="not a number"):
            literal(value)
        with pytest.raises(ValueError, match="ms"):
            list(StepValues(LiteralCache()).of([step(1, duration_ms=value)]))


def test_the_literal_cache_is_bounded() -> None:
    cache = LiteralCache()

    for number in range(20_000):
        assert cache[f"name {number}"] == literal(f"name {number}")
    assert cache["x" * 100_000] == literal("x" * 100_000)

    assert len(cache) <= 4097
    assert (cache[None], cache[""]) == ("NULL", "''")


DURATION = re.compile(r"'[^']*',(?:NULL|'[^']*'),([0-9][0-9.e+-]*),'[{]")


@given(st.one_of(st.integers(0, 10**17).map(lambda ns: ns / 1e6), st.floats(0, allow_nan=False, allow_infinity=False)))
def test_a_duration_reads_back_as_the_same_double(duration_ms: float) -> None:
    (values,) = written(StepValues(LiteralCache()), [step(1, duration_ms=duration_ms)])

    found = DURATION.search(values)
    assert found is not None
    assert float(found[1]) == duration_ms


def test_a_duration_reads_back_from_the_store_as_the_same_double(engine: sa.Engine) -> None:
    durations = [0.0, 0.000001, 0.1, 1.234567, 12345.678901, 86_400_000.000001, 1e15, 1.7976931348623157e308, 1 / 3]
    rows = [step(number, duration_ms=duration) for number, duration in enumerate(durations)]

    BatchWriter(engine).write(RowBatch(steps=rows), deadline=float("inf"))

    with engine.connect() as connection:
        stored = connection.execute(sa.select(trace_step.c.duration_ms).order_by(trace_step.c.span_id)).scalars()
        assert list(stored) == durations


def test_rows_that_share_columns_are_written_as_each_alone() -> None:
    rows = [
        step(number, component=component, status_message=message, parent_span_id=parent, end_time=end)
        for number, (component, message, parent, end) in enumerate(
            itertools.product(
                ("a", "it's"), ("", "b\\"), (None, "00000000000000aa"), (None, "2026-09-21 14:13:21.000000")
            )
        )
    ]
    together = StepValues(LiteralCache())

    assert written(together, rows) + written(together, rows) == 2 * [
        values for row in rows for values in written(StepValues(LiteralCache()), [row])
    ]


def test_what_steps_share_is_kept_within_bounds() -> None:
    values = StepValues(LiteralCache())

    for number in range(10_000):
        list(values.of([step(1, component=f"component {number}", status_message="x" * 500)]))

    assert sum(map(len, values._written.values())) < 1 << 20


TEXTS = st.lists(st.text(max_size=200), min_size=1, max_size=40)


@pytest.mark.fault(26, 28)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS)
def test_any_text_comes_back_from_the_store_as_it_was(engine: sa.Engine, texts: list[str]) -> None:
    """Whatever its quotes, backslashes, percent signs and characters beyond the basic plane."""
    rows = [step(number, statement=text, metadata=text, status_message=text[:50]) for number, text in enumerate(texts)]

    result = BatchWriter(engine).write(RowBatch(steps=rows), deadline=time.monotonic() + 30)

    with engine.begin() as connection:
        query = sa.select(trace_step.c.statement, trace_step.c.metadata).order_by(trace_step.c.start_time)
        found = [tuple(row) for row in connection.execute(query)]
        connection.execute(sa.delete(trace_step))
        connection.execute(sa.delete(workflow_session))
    assert result.stored == len(texts)
    assert found == [(text, text) for text in texts]


@pytest.mark.parametrize("dialect", ["mariadb"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(max_size=200) | st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1, max_size=40))
def test_our_literals_mean_what_the_drivers_own_do(engine: sa.Engine, values: list[Any]) -> None:
    with engine.connect() as plain:
        ours = plain.execution_options(no_parameters=True).exec_driver_sql(
            f"SELECT {', '.join(f'{literal(value)} AS c{n}' for n, value in enumerate(values))}"
        )
        found = tuple(ours.one())
        with plain.connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'%s AS c{n}' for n in range(len(values)))}", values)
            expected = cursor.fetchone()

    assert found == expected == tuple(values)


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_literal_means_the_same_where_backslashes_escape_nothing(store_url: str) -> None:
    engine = create_store_engine(store_url)
    text = "a\\'b\\\\c\"d%s%%"
    with engine.connect() as plain:
        connection = plain.execution_options(no_parameters=True)
        connection.exec_driver_sql("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")

        assert connection.exec_driver_sql(f"SELECT {literal(text)}").scalar_one() == text
        connection.invalidate()
    engine.dispose()


def test_looking_for_stored_rows_goes_by_the_unique_key(engine: sa.Engine) -> None:
    """A batch that was delivered before is looked up by 512 keys; without the index that is a scan of the table each."""
    rows = [step(number, trace=number % 40) for number in range(512)]
    writer = BatchWriter(engine)
    writer.write(RowBatch(steps=rows), deadline=time.monotonic() + 30)

    begin = time.monotonic()
    again = BatchWriter(engine).write(RowBatch(steps=rows), deadline=time.monotonic() + 30)

    assert again.already_there == 512
    assert time.monotonic() - begin < 5
