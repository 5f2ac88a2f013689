"""The characters that lines are drawn with: those of Unicode, or what every terminal has."""

from dataclasses import dataclass
from typing import Final

from e2edebug.cli.quantities import duration


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of our lines, in what the terminal's encoding has."""

    branch: str = "├ "
    last: str = "└ "
    line: str = "│ "
    blank: str = "  "
    times: str = "\N{MULTIPLICATION SIGN}"
    cross: str = "✗"
    ellipsis: str = "…"
    left_out: str = "⋯"
    dot: str = "·"
    micro: str = "µ"

    def duration(self, milliseconds: float | None) -> str:
        """`quantities.duration` in these characters."""
        return duration(milliseconds).replace("µ", self.micro).replace("…", self.ellipsis)


UNICODE: Final = Glyphs()
ASCII: Final = Glyphs("|- ", "`- ", "|  ", "   ", "x", "!", "...", "...", "-", "u")


def glyphs_of(is_unicode: bool) -> Glyphs:
    """Return the characters for a terminal."""
    return UNICODE if is_unicode else ASCII
