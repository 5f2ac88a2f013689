"""Which errors are one error: by the type and the way through the application's own code, not by what differs each time."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

FINGERPRINT_VERSION: Final = 1
"""Stored beside each fingerprint: a better algorithm gets the next number, and resolved groups stay resolved."""


class Frame(NamedTuple):
    """One line of a Python stack trace."""

    path: str
    line: str
    function: str


class Stack(NamedTuple):
    """What a formatted stack trace says."""

    frames: list[Frame]
    """Outermost first; of a chain of causes all, the final one's last."""
    final_line: str
    """`shop.errors.Declined: no funds`: the exception's type and the first line of its text; "" for none."""


def read_stack(stack: str) -> Stack:
    """Return the frames of a formatted stack trace, and the line below the innermost of them."""
    frames: list[Frame] = []
    end = 0
    for match in _FRAME.finditer(stack):
        frames.append(Frame(*match.groups("")))
        end = match.end()
    # Only the first line: notes may be added to an exception between the spans that it passes through.
    final_line = _FINAL_LINE.search(stack, end)
    return Stack(frames, final_line.group(1) if final_line is not None else "")


def frames_of(stack: str) -> list[Frame]:
    """Return the frames of a formatted stack trace, outermost first; of a chain of causes all, the final one's last."""
    return read_stack(stack).frames


def qualified_type(error_type: str, final_line: str) -> str:
    """Return the type with its module, as a stack trace shows it; logs name the type alone."""
    shown = final_line.partition(":")[0]
    if "." not in error_type and shown.endswith(f".{error_type}"):
        return shown
    return error_type.removeprefix("builtins.").removeprefix("__main__.")


def fingerprint(error_type: str, frames: Sequence[Frame], message: str) -> str:
    """Return 32 hexadecimal digits that stay the same for the same error.

    Made of the type with its module and the innermost 20 frames of the application, as file and function without line
    numbers. Without any, of the innermost library frame; without a stack, of the message with numbers, ids and quoted
    values taken out.
    """
    own = [frame for frame in frames if is_of_application(frame.path)][-_MOST_FRAMES:]
    shown = own or frames[-1:]
    places = [f"{_module_path(frame.path)}:{_without_ids(frame.function)}" for frame in shown]
    parts = [error_type, *(places or [_without_ids(message[:_LONGEST_MESSAGE])])]
    return digest(*parts)


def digest(*parts: str) -> str:
    """Return the MD5 of texts, as 32 hexadecimal digits; not for secrecy, but to be short and the same everywhere."""
    return hashlib.md5("\0".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def is_of_application(path: str) -> bool:
    """Tell whether a file is the application's: not the standard library, an installed package, or ours."""
    return _LIBRARY.search(path) is None


def _module_path(path: str) -> str:
    """The file and its folder: what stands before differs between machines and releases (`/srv/releases/41/shop/…`).

    Unless it is the version of an interface, whose modules tend to have the same names (`v2/api/views.py`).
    """
    parts = path.replace("\\", "/").split("/")[-3:]
    if len(parts) == 3 and _VERSION.fullmatch(parts[0]) is None:
        del parts[0]
    return "/".join(part if part.removesuffix(".py").isidentifier() else _without_ids(part) for part in parts)


def _without_ids(text: str) -> str:
    return _ID.sub("#", text)


_MOST_FRAMES: Final = 20
_LONGEST_MESSAGE: Final = 200
_VERSION: Final = re.compile(r"v\d{1,3}")
# In an exception group's trace each line begins with a margin, `    | `.
_FINAL_LINE: Final = re.compile(r"(?m)^(?: +\| )?(?!Traceback \(|[|+-])([^\s|+][^\n]*)")
_FRAME: Final = re.compile(r"(?m)^[ |+]*File \"([^\"\n]*)\", line (\d+)(?:, in ([^\n]*))?$")
_LIBRARY: Final = re.compile(
    r"(?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|^<|[/\\]e2edebug_instrumentation[/\\]"
    r"|[/\\]e2edebug[/\\](?:runtime[/\\]|policy[/\\])?\w+\.py$"
)
_ID: Final = re.compile(
    r"0x[0-9a-fA-F]+|(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3,}[0-9a-fA-F]*|'[^'\n]*+'|\"[^\"\n]*+\"|\d+"
)
