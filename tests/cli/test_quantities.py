"""Durations and times as people write and read them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.cli.quantities import counted, duration, read_duration_ms, read_since

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "…"),
        (0, "0 µs"),
        (0.04, "40 µs"),
        (0.9996, "1.0 ms"),
        (9.94, "9.9 ms"),
        (9.996, "10 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (9_996, "10.0 s"),
        (59_999, "1m 00s"),
        (123_000, "2m 03s"),
        (3_600_000, "1h 00m"),
        (400_000_000_000, "4629d"),
    ],
)
def test_a_duration_has_the_digits_that_matter(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


@given(st.floats(0, 1e13))
def test_a_duration_fits_its_column(milliseconds: float) -> None:
    assert len(duration(milliseconds)) <= 8


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        (" 1.5 d ", datetime(2026, 11, 22, 0, 0, tzinfo=UTC)),
        ("2026-11-23T10:00", datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T10:00+02:00", datetime(2026, 11, 23, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_ago_or_iso(text: str, moment: datetime) -> None:
    assert read_since(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "yesterday", "1e3s", "٣h", "999999999w"])
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # datetime's own, whose text is not shown
        read_since(text, now=NOW)


@pytest.mark.parametrize(("text", "milliseconds"), [("500ms", 500), ("2s", 2000), ("1.5m", 90_000)])
def test_a_duration_is_read_with_its_unit(text: str, milliseconds: float) -> None:
    assert read_duration_ms(text) == milliseconds


def test_one_is_singular() -> None:
    assert [counted(1, "step"), counted(12_000, "step"), counted(0, "query", "queries")] == [
        "1 step",
        "12,000 steps",
        "0 queries",
    ]
