"""What Python shows of a frame: its place, its line, and marks under the part of the line that ran.

Python parses that part to place the marks, and from 3.13 on the whole line too, which is most of what a frame costs:
30-40 of 40-60 us, 100 of 150. Nearly always the text alone tells what parsing it would. Of 47,000 calls in the code of
Django, Celery, SQLAlchemy and others, 19 of 100 go over several lines; of the rest 95 are told so in 3.11 and 3.12, 72
in 3.13.
"""

import keyword
import linecache
import re
import sys
import traceback
from collections.abc import Callable
from typing import Final

_stack: Final = traceback.StackSummary()


def frame_text(frame: traceback.FrameSummary) -> str:
    """Return what `traceback` shows of *frame*; the line cache has been checked."""
    text = _without_parsing(frame) if _marks is not None else None
    return _stack.format_frame_summary(frame) if text is None else text


def _without_parsing(frame: traceback.FrameSummary) -> str | None:
    start, end, number = frame.colno, frame.end_colno, frame.lineno
    if start is None or end is None or number is None or number != frame.end_lineno or frame.filename[:1] == "<":
        return None
    line = linecache.getline(frame.filename, number)
    shown = line.strip()
    indent = len(line) - 1 - len(shown)
    # Columns count bytes; what else is excluded has Python count otherwise, differently from version to version.
    if not shown or not line.isascii() or line[:indent].strip(" ") or line[-1:] != "\n" or line[-2:-1].isspace():
        return None
    if not indent <= start < end <= indent + len(shown):
        return None
    marks = _marks(shown, start - indent, end - indent) if _marks is not None else None
    if marks is None:
        return None
    text = f'  File "{frame.filename}", line {number}, in {frame.name}\n    {shown}\n'
    return f"{text}    {' ' * (start - indent)}{marks}\n" if marks else text


def _marks_until_3_12(shown: str, start: int, end: int) -> str | None:
    """Return the marks from *start* on, '' if the line has none; None if it has to be parsed."""
    part = shown[start:end]
    if _MARKED.search(part) and not _SIMPLE_CALL.fullmatch(part):
        return None
    return "" if len(part) == len(shown) else "^" * len(part)


def _marks_of_3_13(shown: str, start: int, end: int) -> str | None:
    part, before, after = shown[start:end], shown[:start], shown[end:].lstrip()
    if not _MARKED.search(part) and "(" not in part:
        return "" if len(part) == len(shown) else "^" * len(part)
    if not start and part.startswith("raise "):
        return "^" * len(part) if after else ""
    call = _VALID_CALL.fullmatch(part)
    if call is None or (after and after[0] in "#;)"):
        return None  # what stands there may be the whole of what is returned or assigned
    if not after:
        if before.rstrip() == "return" and "." not in call["function"]:
            return ""
        if before.rstrip().endswith("="):
            return "" if _TO_A_NAME.fullmatch(before) else None
    function = len(call["function"])
    return "~" * function + "^" * (len(part) - function)


_MARKED: Final = re.compile(r"[-+*/%@&|^<>\[]")
"""Every operator of two values has one of these, and a subscript its bracket."""
_SIMPLE_CALL: Final = re.compile(r"[\w.]+\([^()]*\)")
"""A call, whatever is in its parentheses; or a statement (`del(x)`), or no Python at all, which has no marks either."""
_NAME: Final = rf"(?!(?:{'|'.join([*keyword.kwlist, '__debug__'])})\b)[A-Za-z_]\w*"
_DOTTED: Final = rf"{_NAME}(?:\.{_NAME})*"
_VALUE: Final = rf"(?:{_DOTTED}|None|True|False|0|[1-9]\d*|'[^'\"\\]*'|\"[^'\"\\]*\")"
_BY_PLACE: Final = rf"\*?{_VALUE}"
_BY_NAME: Final = rf"(?:{_NAME}=|\*\*){_VALUE}"
_VALID_CALL: Final = re.compile(
    rf"(?P<function>{_DOTTED})"
    rf"\((?:{_BY_PLACE}(?:, {_BY_PLACE})*(?:, {_BY_NAME})*|{_BY_NAME}(?:, {_BY_NAME})*)?\)",
    re.ASCII,
)
_TO_A_NAME: Final = re.compile(rf"{_NAME} = ", re.ASCII)
_marks: Final[Callable[[str, int, int], str | None] | None] = (
    _marks_until_3_12 if sys.version_info < (3, 13) else _marks_of_3_13 if sys.version_info < (3, 14) else None
)
