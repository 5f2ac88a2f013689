"""What is shown of a frame is made once for its place in the code, and is what Python shows."""

import linecache
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pytest

from e2edebug.policy import shown_frames
from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.frame_text import frame_text

PROGRAM = """\
def outer(prices):
    return inner(prices) + 1


def inner(prices):
    return prices[0] + prices[7] * 2
"""


@pytest.fixture
def outer(tmp_path: Path) -> Callable[[list[int]], int]:
    """A function that no test has seen before; its call fails two frames deep."""
    return load(tmp_path / "prices.py", PROGRAM)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions of which it was made what to show, one entry for each time."""
    names: list[str] = []

    def counted(frame: traceback.FrameSummary) -> str:
        names.append(frame.name)
        return frame_text(frame)

    monkeypatch.setattr(shown_frames, "frame_text", counted)
    return names


def load(path: Path, program: str) -> Callable[[list[int]], int]:
    path.write_text(program)
    names: dict[str, Any] = {}
    exec(compile(program, str(path), "exec"), names)
    function: Callable[[list[int]], int] = names["outer"]
    return function


def failed(function: Callable[[list[int]], int]) -> Exception:
    try:
        function([1])
    except IndexError as error:
        return error
    raise AssertionError


def python_shows(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_each_place_is_made_once_however_many_exceptions_pass_it(outer: Callable[..., int], made: list[str]) -> None:
    for _ in range(3):
        stack_text(failed(outer))
        stack_text(failed(outer), is_copy=True)

    assert (made.count("outer"), made.count("inner")) == (1, 1)


def test_the_frames_of_a_recursion_are_made_once_within_one_stack(tmp_path: Path, made: list[str]) -> None:
    descend = load(
        tmp_path / "deep.py", "def outer(prices, n=300):\n    return outer(prices, n - 1) if n else prices[7]\n"
    )

    stack_text(failed(descend))

    assert made.count("outer") == 2


def test_what_is_kept_is_what_python_shows(outer: Callable[..., int]) -> None:
    error = failed(outer)

    assert [stack_text(error), stack_text(error)] == [python_shows(error)] * 2
    assert "^^^" in stack_text(error)


def test_members_of_groups_and_causes_are_shown_with_their_frames(outer: Callable[..., int]) -> None:
    try:
        try:
            raise ExceptionGroup("two", [failed(outer), ExceptionGroup("one", [failed(outer)])])
        except ExceptionGroup as group:
            raise KeyError("sku") from group
    except KeyError as error:
        found = error

    assert stack_text(found) == python_shows(found)


def test_a_line_stays_as_it_ran_when_its_file_changes(outer: Callable[..., int], tmp_path: Path) -> None:
    before = stack_text(failed(outer))

    (tmp_path / "prices.py").write_text("# another release\n" * 9)
    os.utime(tmp_path / "prices.py", (1, 1))

    assert stack_text(failed(outer)) == before


def test_code_loaded_anew_is_shown_anew(outer: Callable[..., int], tmp_path: Path) -> None:
    stack_text(failed(outer))

    again = load(tmp_path / "prices.py", PROGRAM.replace("prices[7]", "prices[8]"))

    assert "prices[8]" in stack_text(failed(again))


def test_a_line_that_cannot_be_read_now_is_read_later(outer: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "prices.py").rename(tmp_path / "away.py")
    assert "prices[7]" not in stack_text(failed(outer))

    (tmp_path / "away.py").rename(tmp_path / "prices.py")
    linecache.clearcache()

    assert "prices[7]" in stack_text(failed(outer))


def test_a_traceback_made_by_hand_has_its_own_line(outer: Callable[..., int]) -> None:
    error = failed(outer)
    assert error.__traceback__ is not None
    frame: FrameType = error.__traceback__.tb_frame
    stack_text(error)

    error.__traceback__ = TracebackType(None, frame, -1, 3)

    assert stack_text(error) == python_shows(error)


def test_what_is_kept_is_bounded(outer: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_frames, "_MOST_KEPT", 2)

    for _ in range(3):
        error = failed(outer)
        assert stack_text(error) == python_shows(error)

    assert len(shown_frames._kept) <= 2


def test_long_lines_are_not_kept(tmp_path: Path, made: list[str]) -> None:
    minified = load(tmp_path / "bundle.py", f"def outer(prices):\n    return prices[7], '{'x' * 5000}'\n")

    for _ in range(2):
        stack_text(failed(minified))

    assert made.count("outer") == 2
