"""Text that cannot act on the terminal, and colour only where it is wanted."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys

import pytest
import sqlalchemy as sa
from cli.command import CLEAN_ENVIRONMENT
from cli.stored_workflows import store_checkout
from hypothesis import given
from hypothesis import strategies as st

from e2edebug.cli.terminal import PIPED_WIDTH, Piece, Terminal, cell_width, cut, inert, wrapped


class FakeTerminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def written(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\r\n  lines\tand more", "two lines and more"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m\x07\x00", r"\x9b31m\x07\x00"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("\ud800", r"\ud800"),
        ("[red]not markup[/red] :smile:", "[red]not markup[/red] :smile:"),
        ("日本 é 👩\u200d💻", "日本 é 👩\u200d💻"),
    ],
)
def test_text_is_shown_and_never_obeyed(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text())
def test_inert_text_has_no_control_character(text: str) -> None:
    assert all(one.isprintable() or one in "\u200c\u200d" for one in inert(text))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60), st.integers(1, 30))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cell_width(cut(text, width)) <= width


@given(st.text(st.sampled_from("ab 日é"), max_size=80), st.integers(2, 20))
def test_wrapping_loses_nothing_but_blanks(text: str, width: int) -> None:
    lines = list(wrapped(text, width))

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_width(line) <= width for line in lines)


def test_a_terminal_gets_colour_and_its_text_is_no_markup() -> None:
    stream = FakeTerminal()

    Terminal(stream, environ={"TERM": "xterm", "COLUMNS": "80"}).show([[Piece("[bold]x[/bold]", "database")]])

    assert stream.written == "\x1b[33m[bold]x[/bold]\x1b[0m\n"


@pytest.mark.parametrize("environ", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environ: dict[str, str]) -> None:
    stream = FakeTerminal()

    Terminal(stream, environ=environ).say("text", "failed")

    assert stream.written == "text\n"


def test_a_pipe_gets_plain_text_of_a_fixed_width() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, environ={})

    terminal.say("text", "failed")

    assert (stream.getvalue(), terminal.width, terminal.is_piped) == ("text\n", PIPED_WIDTH, True)


def test_a_pipe_may_ask_for_colour() -> None:
    stream = io.StringIO()

    Terminal(stream, environ={"FORCE_COLOR": "1", "TERM": "xterm"}).say("text", "failed")

    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize(("encoding", "is_unicode"), [("utf-8", True), ("latin-1", False), ("ascii", False)])
def test_the_encoding_decides_on_the_characters(encoding: str, is_unicode: bool) -> None:
    assert Terminal(FakeTerminal(encoding), environ={"NO_COLOR": "1"}).is_unicode is is_unicode


def test_a_long_line_is_not_wrapped_by_us() -> None:
    stream = FakeTerminal()

    Terminal(stream, environ={"TERM": "xterm", "COLUMNS": "40"}).say("word " * 40)

    assert stream.written.count("\n") == 1


def test_without_rich_a_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)  # what an import finds that is not installed
    stream = FakeTerminal()

    Terminal(stream, environ={"TERM": "xterm"}).say("text", "failed")

    assert stream.written == "text\n"


def test_a_real_terminal_gets_colours_hints_and_its_width(engine: sa.Engine, store_url: str) -> None:
    store_checkout(engine)
    ours, theirs = pty.openpty()
    environ = CLEAN_ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "80", "PYTHONUTF8": "1"}

    process = subprocess.Popen(
        [sys.executable, "-m", "e2edebug.cli", "sessions", "--database", store_url],
        stdout=theirs,
        stderr=theirs,
        env=environ,
    )
    os.close(theirs)
    shown = read_to_end(ours)

    assert process.wait(120) == 0
    assert "\x1b[1;31mfailed" in shown
    assert "one of them: e2edebug show <id>" in shown
    assert max(cell_width(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= 80


def read_to_end(descriptor: int) -> str:
    """Read a terminal until the last program on it has ended, which Linux reports as an error."""
    read = b""
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 65_536):
            read += piece
    os.close(descriptor)
    return read.decode()
