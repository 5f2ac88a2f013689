"""Times become texts that sort as they do, each by itself and two at once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2edebug_exporters.time_text import EARLIEST, END_OF_TIME_UNIX_NS, LATEST, time_text, time_texts

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
TIMES = st.one_of(
    st.integers(NOW, NOW + 2 * SECOND),
    st.builds(
        lambda second, rest: second * SECOND + rest, st.integers(NOW // SECOND, NOW // SECOND + 2), st.integers(0, 2000)
    ),
    st.integers(-2 * SECOND, 2 * SECOND),
    st.integers(END_OF_TIME_UNIX_NS - 2 * SECOND, END_OF_TIME_UNIX_NS + 2 * SECOND),
    st.integers(-(2**70), 2**70),
)


@settings(max_examples=300)
@given(st.integers(0, END_OF_TIME_UNIX_NS - 1))
def test_it_is_the_time_of_the_calendar(unix_ns: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_ns // 1000)

    assert time_text(unix_ns) == f"{moment:%Y-%m-%d %H:%M:%S.%f}".rjust(26, "0")


@pytest.mark.parametrize(("unix_ns", "shown"), [(-1, EARLIEST), (0, EARLIEST), (END_OF_TIME_UNIX_NS, LATEST)])
def test_what_no_column_holds_becomes_its_limit(unix_ns: int, shown: str) -> None:
    assert time_text(unix_ns) == shown


@settings(max_examples=300)
@given(st.lists(st.tuples(TIMES, TIMES), max_size=20))
def test_two_at_once_are_each_by_itself(pairs: list[tuple[int, int]]) -> None:
    """Whatever the spans before it have left behind."""
    for start, end in pairs:
        assert time_texts(start, end) == (time_text(start), time_text(end))


def test_threads_leave_each_other_alone() -> None:
    wrong: list[tuple[str, str]] = []

    def work(first: int) -> None:
        for number in range(3000):
            start = NOW + (first + number % 3) * SECOND + number * 1000
            found = time_texts(start, start + 1000)
            if found != (time_text(start), time_text(start + 1000)):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
