"""The text of a stack: as Python writes it, unless there is too much of it."""

import sys
import traceback

import pytest

from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.stack_frames import read_stack


def descend(depth: int) -> None:
    if depth == 0:
        raise ValueError("the bottom")
    turn(depth)


def turn(depth: int) -> None:
    descend(depth - 1)


def caught(depth: int = 1) -> BaseException:
    try:
        try:
            raise KeyError("sku")
        except KeyError:
            descend(depth)
    except ValueError as error:
        return error
    raise AssertionError


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit


def test_a_short_stack_is_the_one_that_python_prints():
    error = caught()
    error.add_note("seen in the night")

    assert stack_text(error) == "".join(traceback.format_exception(error))


def test_of_a_deep_stack_both_ends_are_kept():
    stack = stack_text(caught(depth=300))

    assert stack.index("in caught") < stack.index("  … 502 frames …\n") < stack.index('raise ValueError("the bottom")')
    assert stack.endswith("ValueError: the bottom\n")
    assert stack.count('  File "') == 101  # one is the KeyError's


@pytest.mark.parametrize("depth", [1, 45, 300])
def test_the_calling_frames_stand_before_all_others(depth: int):
    error = caught(depth=depth)
    assert error.__traceback__ is not None

    def called_by() -> str:
        return stack_text(error, calling_frames=[sys._getframe()])

    stack = called_by()
    final = stack[stack.rindex("Traceback (most recent call last)") :]
    assert 0 < final.index("in called_by") < final.index("in caught") < final.index("in descend")


def test_a_long_message_is_cut_and_what_follows_it_is_not():
    error = ValueError("x" * 100_000)
    error.add_note("a note")

    stack = stack_text(error)

    assert "…[cut, 100013 chars]\n" in stack
    assert stack.endswith("a note\n")
    assert len(stack) < 9_000


def test_an_exception_that_cannot_be_printed_has_a_stack():
    assert "Unprintable" in stack_text(Unprintable())


@pytest.mark.parametrize("depth", [0, 1, 300])
def test_a_copy_tells_where_the_exception_was_raised_and_what_it_says(depth: int):
    error = caught(depth=depth)

    whole, copy = read_stack(stack_text(error)), read_stack(stack_text(error, is_copy=True))

    assert (copy.frames[-1], copy.final_line) == (whole.frames[-1], whole.final_line)
    assert len(copy.frames) == 2  # the KeyError's and its own
