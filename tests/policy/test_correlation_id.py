"""Which values may name a workflow."""

import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.policy import correlation_id

ALPHABET = string.ascii_letters + string.digits + "._-"


@given(st.text(alphabet=ALPHABET, min_size=1, max_size=64))
def test_up_to_64_of_the_closed_alphabet_are_taken_as_they_are(value: str) -> None:
    assert correlation_id.accept(value) == value


@given(st.text())
def test_whatever_is_taken_is_harmless_anywhere(value: str) -> None:
    accepted = correlation_id.accept(value)

    assert accepted is None or (accepted == value and 1 <= len(value) <= 64 and set(value) <= set(ALPHABET))


@pytest.mark.parametrize(
    "value", ["", "a" * 65, "a\n", "a\r\nSet-Cookie: b", "\x1b[31m", "٣", "a:b", "a" * 100_000, None, 7, b"abc", ["a"]]
)
def test_everything_else_is_refused(value: object) -> None:
    assert correlation_id.accept(value) is None


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_a_trace_id_is_shown_as_a_uuid_and_is_an_acceptable_id(trace_id: int) -> None:
    shown = correlation_id.from_trace_id(trace_id)

    assert shown == str(uuid.UUID(int=trace_id))
    assert correlation_id.accept(shown) == shown


def test_new_ids_differ_and_are_acceptable() -> None:
    one, other = correlation_id.new(), correlation_id.new()

    assert one != other
    assert correlation_id.accept(one) == one
