"""Routes as people write them. Django hands a `re_path()` route, and each of DRF's routers, over as regular expressions.

`^api/books/(?P<pk>[^/.]+)/explode/$` reads `api/books/<pk>/explode/`, in the notation of `path()`.
"""

import functools
import re
from typing import Final


def readable_route(route: str) -> str:
    """Return *route* with a name where its regular expression has a group, and without anchors, escapes and repetition.

    A group without a name is `<var>`, a class of characters `*`; what is optional is left out, unless it has a name.
    A route in another notation (`orders/<int:pk>/`, `/blog/[slug]`, `/users/{id}`) stays as it is. Linear in its length.
    """
    if _is_regular_expression(route) and len(route) <= _LONGEST:
        return _from_regular_expression(route)
    return route


def _is_regular_expression(route: str) -> bool:
    # Not `(` or `[` alone: Next.js writes those.
    return "(?" in route or "\\" in route or "^" in route or route.endswith("$")


_LONGEST: Final = 2_000
_DEEPEST: Final = 20
_UNNAMED: Final = "<var>"
_ANYTHING: Final = "*"
_QUANTIFIER: Final = re.compile(r"(?P<least>[*?+]|\{\d*,?\d*\})[?+]?")
_NAMED: Final = re.compile(r"\(\?P<(\w{1,100})>|\(\?P=(\w{1,100})(?=\))")
_TRANSPARENT: Final = re.compile(r"\(\?(?:[a-zA-Z]*(?:-[a-zA-Z]+)?:|>)")
_CLASS: Final = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*+\]")
_SKIPPED: Final = re.compile(rf"{_CLASS.pattern}|\\.|[()]", re.DOTALL)


@functools.lru_cache(maxsize=1024)
def _from_regular_expression(route: str) -> str:
    text, _ = _sequence(route, 0, 0)
    return re.sub(r"\*{2,}", _ANYTHING, text)


def _sequence(route: str, at: int, depth: int) -> tuple[str, int]:
    """Return what stands up to the end of a group, or of the route, and the place behind it."""
    pieces: list[str] = []
    while at < len(route):
        character = route[at]
        if character == ")" and depth:
            return "".join(pieces), at + 1
        if character == "(":
            piece, at = _group(route, at, depth)
        elif character == "\\":
            piece, at = _escaped(route[at + 1 : at + 2]), at + 2
        elif character == "[" and (found := _CLASS.match(route, at)) is not None:
            piece, at = _ANYTHING, found.end()
        else:
            at += 1
            # A dot that is not repeated stands for itself in nearly every route that has one (`v1.0/`).
            is_any = character == "." and route[at : at + 1] in ("*", "+")
            piece = "" if character in "^$" else _ANYTHING if is_any else character
        quantifier = _QUANTIFIER.match(route, at)
        if quantifier is not None:
            at = quantifier.end()
            is_optional = quantifier["least"].startswith(("?", "*", "{0", "{,"))
            if is_optional and "<" not in piece and piece != _ANYTHING:
                piece = ""
        pieces.append(piece)
    return "".join(pieces), at


def _group(route: str, at: int, depth: int) -> tuple[str, int]:
    named = _NAMED.match(route, at)
    if named is not None:
        return f"<{named[1] or named[2]}>", _end_of_group(route, at)
    transparent = _TRANSPARENT.match(route, at)
    if depth >= _DEEPEST or (transparent is None and route.startswith("(?", at)):
        # Flags, comments, and what only looks ahead or back.
        return "" if route.startswith("(?", at) else _UNNAMED, _end_of_group(route, at)
    content, end = _sequence(route, transparent.end() if transparent is not None else at + 1, depth + 1)
    if transparent is None and "<" not in content:
        return _UNNAMED, end
    return f"({content})" if "|" in content else content, end


def _escaped(character: str) -> str:
    if character in "AZbBz":
        return ""
    return _ANYTHING if character in "dDwWsS" else character


def _end_of_group(route: str, at: int) -> int:
    depth = 0
    for found in _SKIPPED.finditer(route, at):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if depth == 0:
                return found.end()
    return len(route)
