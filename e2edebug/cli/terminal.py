"""Where lines are shown: width, colour and characters of the terminal, and text that cannot act on it.

Lines are made of pieces of text with a style. Rich colours them when it is installed and the output is a terminal;
anything else gets the same text plain. Stored text comes from anybody's requests: it passes through `inert` first.
"""

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH: Final = 120
NARROWEST: Final = 40
_LINES_AT_ONCE: Final = 500
_JOINERS: Final = "\u200c\u200d"

STYLES: Final[Mapping[str, str]] = {
    "frontend": "magenta",
    "api": "cyan",
    "database": "yellow",
    "cache": "green",
    "external": "bright_blue",
    "system": "white",
    "failed": "bold red",
    "error": "red",
    "completed": "green",
    "timeout": "yellow",
    "running": "cyan",
    "title": "bold",
    "quiet": "dim",
    "count": "bold yellow",
}
"""Style name -> Rich style. The layers have their names in every view."""


class Piece(NamedTuple):
    """Some text in one style of STYLES; '' is the terminal's own."""

    text: str
    style: str = ""


Line = list[Piece]


class Terminal:
    """An output stream with what it can show."""

    def __init__(self, stream: TextIO | None = None, *, environ: Mapping[str, str] | None = None) -> None:
        self.stream = stream or sys.stdout
        environ = os.environ if environ is None else environ
        is_terminal = self.stream.isatty()
        self.is_unicode = _is_unicode(self.stream)
        self.is_piped = not is_terminal
        self.width = max(_width(environ, is_terminal=is_terminal), NARROWEST)
        wants_colour = (is_terminal and environ.get("TERM") != "dumb") or bool(environ.get("FORCE_COLOR"))
        self._console = _console(self.stream, self.width) if wants_colour and not environ.get("NO_COLOR") else None

    def show(self, lines: Iterable[Line]) -> None:
        """Write *lines*, each on a line of its own whatever its length."""
        remaining = iter(lines)
        while chunk := list(islice(remaining, _LINES_AT_ONCE)):
            if self._console is None:
                self.stream.write("".join(plain(line) + "\n" for line in chunk))
            else:
                _show_with_rich(self._console, chunk)

    def say(self, text: str = "", style: str = "") -> None:
        """Write one line of text of our own."""
        self.show([[Piece(text, style)]])


def plain(line: Line) -> str:
    """The text of *line*, without blanks at its end."""
    return "".join(piece.text for piece in line).rstrip()


def inert(text: str) -> str:
    """Return *text* on one line with nothing in it that a terminal would obey: controls stand escaped.

    Escape sequences, C1 controls, bidirectional overrides and lone surrogates become `\\x1b`, `\\u202e` and so on;
    runs of white space become one blank.
    """
    folded = " ".join(text.split())
    if folded.isprintable():
        return folded
    return "".join(one if one.isprintable() or one in _JOINERS else _escaped(one) for one in folded)


def _escaped(character: str) -> str:
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def cell_width(text: str) -> int:
    """How many columns *text* takes: wide East Asian characters and emoji two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_character_width(one) for one in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or character in _JOINERS or character == "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return *text*, or as much of its beginning as fits *width* columns together with the ellipsis."""
    if len(text) <= width and cell_width(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return ellipsis[: max(width, 0)]
    kept, used = [], 0
    for one in text:
        used += _character_width(one)
        if used > room:
            break
        kept.append(one)
    return "".join(kept).rstrip() + ellipsis


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return *text* filled with blanks to *width* columns, on its left when *right* aligned."""
    blanks = " " * max(width - cell_width(text), 0)
    return blanks + text if right else text + blanks


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield *text* in pieces of at most *width* columns, broken at blanks where there are any."""
    rest = text.strip()
    while cell_width(rest) > width:
        head = cut(rest, width, ellipsis="")
        blank = head.rfind(" ")
        at = blank if blank > width // 2 and not rest[len(head) :].startswith(" ") else len(head)
        if at == 0:  # a column narrower than one wide character
            break
        yield rest[:at].rstrip()
        rest = rest[at:].lstrip()
    if rest:
        yield rest


def _is_unicode(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "ascii"
    try:
        "━╸├└…✗".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _width(environ: Mapping[str, str], *, is_terminal: bool) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size((80, 24)).columns if is_terminal else PIPED_WIDTH


def _console(stream: TextIO, width: int) -> "Console | None":
    try:
        from rich.console import Console
    except ImportError:  # the extra `cli` is not installed: plain text does
        return None
    return Console(file=stream, width=width, force_terminal=True, highlight=False, markup=False, emoji=False)


def _show_with_rich(console: "Console", lines: list[Line]) -> None:
    from rich.text import Text

    text = Text()
    for line in lines:
        for piece in line:
            text.append(piece.text, STYLES.get(piece.style))
        text.append("\n")
    # Nothing is wrapped or cut here: the caller knows what may be shortened.
    console.print(text, end="", soft_wrap=True)
