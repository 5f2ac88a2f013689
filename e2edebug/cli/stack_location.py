"""Where a stored stack trace broke: the deepest line of the user's own code in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FRAME: Final = re.compile(r'(?m)^[ |+]*File "([^"\n]+)", line (\d+)(?:, in ([^\n]+))?$')
_TRACEBACK: Final = "Traceback (most recent call last):"
_MOST_READ: Final = 200_000
_KEPT_PARTS: Final = 3
_INSTALLED: Final = re.compile(r"/(?:site|dist)-packages/")
_STANDARD_LIBRARY: Final = re.compile(
    r"(?:^|/)(?:lib/(?:python|pypy)\d[\d.]*t?|Python\d+/Lib|Python\d+/bin)/", re.IGNORECASE
)
# In a checkout of e2edebug its packages lie outside of site-packages.
_OWN: Final = re.compile(
    r"/e2edebug/(?:(?:cli|policy|runtime)/)?[^/]+\.py$|/e2edebug_(?:exporters|instrumentation|schema)/"
)


def stack_location(stack_trace: str) -> str:
    """Return `library/views.py:24 in boom` for a stored stack trace, '' where it has no frame.

    The deepest frame of the exception that ended it, then of those that caused it; libraries count only where the user's
    code is not among the frames. Paths are relative to the working directory, or their last three parts.
    """
    blocks = stack_trace[-_MOST_READ:].split(_TRACEBACK)
    frames = [frame for block in reversed(blocks) for frame in reversed(list(_frames(block)))]
    users = (frame for frame in frames if _is_users(frame[0]))
    found = next(users, None) or next(iter(frames), None)
    if found is None:
        return ""
    path, line, function = found
    return f"{_shortened(path)}:{line}" + (f" in {function}" if function else "")


def _frames(block: str) -> Iterator[tuple[str, str, str]]:
    for match in _FRAME.finditer(block):
        path, line, function = match.groups(default="")
        yield path.replace("\\", "/"), line, function.strip()


def _is_users(path: str) -> bool:
    return not (path.startswith("<") or any(rule.search(path) for rule in (_INSTALLED, _STANDARD_LIBRARY, _OWN)))


def _shortened(path: str) -> str:
    here = Path.cwd().as_posix().rstrip("/") + "/"
    if path.startswith(here):
        return path.removeprefix(here)
    installed = _INSTALLED.split(path)
    if len(installed) > 1:
        return installed[-1]
    return "/".join(path.split("/")[-_KEPT_PARTS:]) if path.startswith("/") or path[1:3] == ":/" else path
