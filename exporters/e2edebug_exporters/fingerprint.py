"""Which errors are one error: by the type and the way through the application's own code, not by what differs each time."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from e2edebug.policy.stack_frames import Frame, is_of_application

FINGERPRINT_VERSION: Final = 1
"""Stored beside each fingerprint: a better algorithm gets the next number, and resolved groups stay resolved."""


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
_ID: Final = re.compile(
    r"0x[0-9a-fA-F]+|(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3,}[0-9a-fA-F]*|'[^'\n]*+'|\"[^\"\n]*+\"|\d+"
)
