"""The frames of a formatted stack trace, and which of them are the application's own."""

import re
from functools import lru_cache
from typing import Final, NamedTuple


class Frame(NamedTuple):
    """One line of a Python stack trace."""

    path: str
    line: str
    function: str


class Stack(NamedTuple):
    """What a formatted stack trace says."""

    frames: tuple[Frame, ...]
    """Outermost first; of a chain of causes all, the final one's last."""
    final_line: str
    """`shop.errors.Declined: no funds`: the exception's type and the first line of its text; "" for none."""


# A step asks where it broke, then the error of the same step what to be known by; and the same stacks come again.
@lru_cache(maxsize=8)
def read_stack(stack: str) -> Stack:
    """Return the frames of a formatted stack trace, and the line below the innermost of them."""
    frames: list[Frame] = []
    end = 0
    for match in _FRAME.finditer(stack):
        frames.append(Frame(*match.groups("")))
        end = match.end()
    # Only the first line: notes may be added to an exception between the spans that it passes through.
    final_line = _FINAL_LINE.search(stack, end)
    return Stack(tuple(frames), final_line.group(1) if final_line is not None else "")


def frames_of(stack: str) -> tuple[Frame, ...]:
    """Return the frames of a formatted stack trace, outermost first; of a chain of causes all, the final one's last."""
    return read_stack(stack).frames


def is_of_application(path: str) -> bool:
    """Tell whether a file is the application's: not the standard library, an installed package, or ours."""
    return _LIBRARY.search(path) is None


# In an exception group's trace each line begins with a margin, `    | `.
_FINAL_LINE: Final = re.compile(r"(?m)^(?: +\| )?(?!Traceback \(|[|+-])([^\s|+][^\n]*)")
_FRAME: Final = re.compile(r"(?m)^[ |+]*File \"([^\"\n]*)\", line (\d+)(?:, in ([^\n]*))?$")
_LIBRARY: Final = re.compile(
    r"(?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|^<|[/\\]e2edebug_(?:instrumentation|exporters|schema)[/\\]"
    # Where a clone of ours is installed as it lies; its folder may be called e2edebug, and the example shop is in it.
    r"|[/\\]e2edebug[/\\](?:(?:runtime|policy|django)[/\\](?:\w+[/\\])*)?\w+\.py$"
)
