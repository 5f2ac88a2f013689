"""Whatever arrives becomes a row that a strict database takes, visibly changed and counted."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind, Status, StatusCode
from support.rows import columns_of
from support.spans import START_UNIX_NS, make_span

from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.row_mapper import UNMAPPABLE, RowMapper
from e2edebug_exporters.rows import RowBatch, StepRow

StepOf = Callable[[ReadableSpan], StepRow]
MetadataOf = Callable[[ReadableSpan], dict[str, Any]]
YEAR_10000_UNIX_NS = 253_402_300_800 * 10**9


def value_of(metadata_of: MetadataOf, value: object) -> Any:
    return metadata_of(make_span(parent=9, attributes={"x": value}))["x"]


@pytest.mark.fault(29)
def test_a_value_of_ten_megabytes_is_cut_with_its_length(metadata_of: MetadataOf, mapper: RowMapper) -> None:
    shown = value_of(metadata_of, "é" * 10_485_760)

    assert shown.endswith("é…[cut, 10485760 chars]")
    assert 65_500 < len(shown.encode()) <= 65_536
    assert mapper.sanitised["cut"] == 1


@pytest.mark.fault(29)
def test_a_long_name_is_cut_at_its_column_with_its_length(step_of: StepOf) -> None:
    row = step_of(make_span("n" * 100_000))

    assert len(row.operation) == column_limits().step["operation"]
    assert row.operation.endswith("n…[cut, 100000 chars]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nul\x00", "nul␀"),
        ("\x1b[31mred", "␛[31mred"),
        ("a\r\nb\tc\nd", "a\nb\tc\nd"),
        ("a\rb", "a␍b"),
        ("c1\x9b31m", "c1\ufffd31m"),
        ("half \ud83d", "half \ufffd"),
        ("🛒 grün", "🛒 grün"),
    ],
)
def test_what_no_column_takes_is_replaced_visibly(
    step_of: StepOf, metadata_of: MetadataOf, text: str, expected: str
) -> None:
    span = make_span(text, parent=9, attributes={"x": text, f"key {text}": 1}, status=Status(StatusCode.ERROR, text))

    assert step_of(span).operation == expected
    assert step_of(span).status_message == expected
    assert metadata_of(span) == {"x": expected, f"key {expected}": 1}


def test_blanks_at_the_end_of_names_are_stripped_because_mysql_ignores_them(step_of: StepOf) -> None:
    assert step_of(make_span("work  ")).operation == "work"


@pytest.mark.fault(31)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_becomes_null_with_a_flag(
    metadata_of: MetadataOf, mapper: RowMapper, value: float
) -> None:
    shown = metadata_of(make_span(parent=9, attributes={"price": value}))

    assert shown == {"price": None, "e2edebug.sanitised": {"price": "not a finite number"}}
    assert mapper.sanitised["not a finite number"] == 1


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, "9223372036854775808"),
        (10**5000, "<integer of 16610 bits>"),
    ],
    ids=["greatest", "least", "beyond", "huge"],
)
def test_integers_beyond_64_bits_become_text(metadata_of: MetadataOf, value: int, expected: object) -> None:
    assert value_of(metadata_of, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"\xff\xfe", "<2 bytes>"),
        (True, True),
        (None, None),
        (1.5, 1.5),
        ((1, "a", None, [True]), [1, "a", None, [True]]),
        ({"a": {1: 2}}, {"a": {"1": 2}}),
    ],
    ids=str,
)
def test_every_kind_of_value_has_a_form_in_json(metadata_of: MetadataOf, value: object, expected: object) -> None:
    assert value_of(metadata_of, value) == expected


@pytest.mark.fault(32)
def test_what_lies_deeper_than_twenty_levels_becomes_text(metadata_of: MetadataOf) -> None:
    value: object = {"password": "hunter2", "leaf": 1}
    for _ in range(30):
        value = {"in": value}

    shown = value_of(metadata_of, value)
    depth = 1
    while isinstance(shown, dict):
        shown, depth = shown["in"], depth + 1

    assert depth == 20
    assert '"leaf":1' in shown
    assert "hunter2" not in shown


@pytest.mark.fault(32)
def test_a_value_a_thousand_levels_deep_is_bounded(metadata_of: MetadataOf) -> None:
    value: object = []
    for _ in range(900):
        value = [value]

    assert len(json.dumps(value_of(metadata_of, value))) < 1000


def test_huge_collections_are_bounded_and_say_so(metadata_of: MetadataOf) -> None:
    shown = metadata_of(
        make_span(parent=9, attributes={"list": tuple(range(1000)), "map": {str(i): i for i in range(1000)}})
    )

    assert shown["list"][-1] == "…[cut, 1000 items]"
    assert len(shown["list"]) == 257
    assert shown["map"]["…"] == "cut, 1000 items"


def test_a_collection_of_collections_is_bounded_as_a_whole(step_of: StepOf) -> None:
    value = {str(i): {str(j): ["x"] * 100 for j in range(200)} for i in range(200)}

    assert len(step_of(make_span(attributes={"x": value})).metadata) <= 4 * 65_536


def test_metadata_keeps_the_short_values_when_the_long_ones_do_not_fit(metadata_of: MetadataOf) -> None:
    long = {f"long{number}": f"{number}" + "x" * 65_000 for number in range(10)}

    shown = metadata_of(make_span(parent=9, attributes=long | {"short": 1}))

    assert shown["short"] == 1
    assert shown["e2edebug.sanitised.left_out"] == 6


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (START_UNIX_NS, START_UNIX_NS - 10**9, ("2026-09-21 14:13:20.123456", "2026-09-21 14:13:20.123456", 0.0)),
        (0, START_UNIX_NS, ("2026-09-21 14:13:20.123456", "2026-09-21 14:13:20.123456", 0.0)),
        (START_UNIX_NS, 0, ("2026-09-21 14:13:20.123456", "2026-09-21 14:13:20.123456", 0.0)),
        (START_UNIX_NS, YEAR_10000_UNIX_NS, ("2026-09-21 14:13:20.123456", "2026-09-21 14:13:20.123456", 0.0)),
        (0, 0, ("1970-01-01 00:00:00.000000", "1970-01-01 00:00:00.000000", 0.0)),
        (-5, None, ("1970-01-01 00:00:00.000000", None, None)),
        (YEAR_10000_UNIX_NS, YEAR_10000_UNIX_NS, ("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999", 0.0)),
        (2**70, 2**71, ("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999", 0.0)),
    ],
)
def test_impossible_times_are_mended_and_kept_as_received(
    step_of: StepOf, mapper: RowMapper, start: int, end: int | None, expected: tuple[str, str | None, float | None]
) -> None:
    row = step_of(make_span(start_unix_ns=start, end_unix_ns=end))

    assert (row.start_time, row.end_time, row.duration_ms) == expected
    assert "e2edebug.received_times" in json.loads(row.metadata)
    assert mapper.sanitised["time"] == 1


def test_a_duration_below_a_microsecond_is_not_zero(step_of: StepOf) -> None:
    assert step_of(make_span(end_unix_ns=START_UNIX_NS + 1)).duration_ms == 1e-6


@pytest.mark.parametrize(("trace_id", "span_id"), [(0, 2), (1, 0), (0, 0)])
def test_a_span_with_an_empty_id_gets_one_that_stays_the_same(trace_id: int, span_id: int) -> None:
    rows = []
    for _ in range(2):
        batch = RowBatch()
        RowMapper().add_span(batch, make_span(trace_id=trace_id, span_id=span_id))
        rows.append(batch.steps[0])

    assert rows[0] == rows[1]
    assert int(rows[0].trace_id, 16) > 0
    assert int(rows[0].span_id, 16) > 0


@pytest.mark.fault(29)
def test_a_statement_of_a_megabyte_is_cut_with_its_length(step_of: StepOf) -> None:
    sql = "SELECT " + ", ".join(f"column_{number}" for number in range(80_000)) + " FROM t"

    row = step_of(make_span(kind=SpanKind.CLIENT, attributes={"db.system": "mysql", "db.statement": sql}))

    assert row.statement is not None
    assert row.statement.endswith(f"…[cut, {len(sql)} chars]")
    assert len(row.statement) < 66_000


def test_an_object_that_breaks_when_it_is_read_costs_one_row_and_is_counted(
    mapper: RowMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("E2EDEBUG_RAISE_ERRORS", raising=False)

    class Broken(ReadableSpan):
        @property
        def status(self) -> Status:
            raise RuntimeError("broken")

    batch = RowBatch()
    failed = mapper.add_spans(batch, [make_span(span_id=1), Broken("x"), make_span(span_id=3)])

    assert (failed, len(batch.steps), mapper.sanitised[UNMAPPABLE]) == (1, 2, 1)


TEXTS = st.text(st.characters(exclude_categories=()), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
KNOWN_NAMES = st.sampled_from(
    ["correlation.id", "e2edebug.layer", "e2edebug.component", "e2edebug.operation", "e2edebug.metadata", "enduser.id",
     "session.id", "e2edebug.workflow.type", "e2edebug.workflow.metadata", "e2edebug.db.digest", "db.system",
     "db.statement", "db.sql.table", "http.method", "http.target", "http.url", "http.route", "http.status_code",
     "code.file.path", "code.line.number", "net.peer.name", "exception.type", "exception.message", "exception.stacktrace"]
)  # fmt: skip
ATTRIBUTES = st.dictionaries(KNOWN_NAMES | TEXTS, VALUES, max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    name=TEXTS,
    kind=st.sampled_from(SpanKind),
    attributes=ATTRIBUTES,
    event_attributes=ATTRIBUTES,
    start=st.integers(-(2**65), 2**65),
    end=st.none() | st.integers(-(2**65), 2**65),
    description=TEXTS,
)
def test_any_span_becomes_one_row_that_fits_its_columns(
    name: str,
    kind: SpanKind,
    attributes: dict[str, Any],
    event_attributes: dict[str, Any],
    start: int,
    end: int | None,
    description: str,
) -> None:
    span = make_span(
        name,
        kind=kind,
        attributes=attributes,
        events=[Event("exception", event_attributes, START_UNIX_NS)],
        start_unix_ns=start,
        end_unix_ns=end,
        status=Status(StatusCode.ERROR, description),
    )
    batch = RowBatch()

    failed = RowMapper().add_spans(batch, [span])

    assert (failed, len(batch.steps)) == (0, 1)
    limits = column_limits()
    for rows, limits_of_table in ((batch.steps, limits.step), (batch.errors, limits.error)):
        for row in rows:
            for column, value in columns_of(row).items():
                if isinstance(value, str):
                    value.encode()  # raises on a lone surrogate
                    assert "\x00" not in value
                    assert len(value) <= limits_of_table.get(column, 300_000), column
            json.loads(row.metadata, parse_constant=pytest.fail)
