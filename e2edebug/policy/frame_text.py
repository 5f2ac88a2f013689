"""What Python shows of a frame: its place, its line, and marks under the part of the line that ran.

Python parses that part to place the marks, and from 3.13 on the whole line too, which is most of what a frame costs:
30-40 of 40-60 us, 100 of 150. Nearly always the text alone tells what parsing it would. Of 22,000 calls in the code of
Django, Celery, SQLAlchemy and others, 15 of 100 go over several lines, which needs no parsing until 3.12; of the rest 99
are told so in 3.11 and 3.12, 72 in 3.13. Of 6,600 subscripts 79 are, of 1,400 operations 61, in 3.11 and 3.12.
"""

import ast
import keyword
import linecache
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

_stack: Final = traceback.StackSummary()


def frame_text(frame: traceback.FrameSummary) -> str:
    """Return what `traceback` shows of *frame*; the line cache has been checked."""
    text = _without_parsing(frame) if _marks is not None else None
    return _stack.format_frame_summary(frame) if text is None else text


def _without_parsing(frame: traceback.FrameSummary) -> str | None:
    start, end, number = frame.colno, frame.end_colno, frame.lineno
    if start is None or end is None or number is None or frame.filename[:1] == "<":
        return None
    is_longer = number != frame.end_lineno
    if is_longer and not _shows_first_line_alone:
        return None
    line = linecache.getline(frame.filename, number)
    shown = line.strip()
    indent = len(line) - 1 - len(shown)
    # Columns count bytes; what else is excluded has Python count otherwise, differently from version to version.
    if not shown or not line.isascii() or line[:indent].strip(" ") or line[-1:] != "\n" or line[-2:-1].isspace():
        return None
    if is_longer:
        end = indent + len(shown)
    if not indent <= start < end <= indent + len(shown):
        return None
    if is_longer:
        marks: str | None = _plain_marks(shown, start - indent, end - indent)
    else:
        marks = _marks(shown, start - indent, end - indent) if _marks is not None else None
    if marks is None:
        return None
    text = f'  File "{frame.filename}", line {number}, in {frame.name}\n    {shown}\n'
    return f"{text}    {' ' * (start - indent)}{marks}\n" if marks else text


def _plain_marks(shown: str, start: int, end: int) -> str:
    return "" if end - start == len(shown) else "^" * (end - start)


def _marks_until_3_12(shown: str, start: int, end: int) -> str | None:
    """Return the marks from *start* on, '' if the line has none; None if Python has to make them."""
    part = shown[start:end]
    if not _MARKED.search(part) or _CALL.fullmatch(part):
        return _plain_marks(shown, start, end)
    is_subscript = part[-1] == "]"
    found = _SUBSCRIPT.fullmatch(part) if is_subscript else _OPERATION.fullmatch(part)
    if found and _KEYWORDS.isdisjoint(_WORD.findall(part)):
        left, right = (found.start("bracket"), len(part)) if is_subscript else found.span("operator")
    elif _parsed_anchors is None:
        return None
    else:
        try:
            anchors = None if _is_other_expression(part) else _parsed_anchors(part)
        except Exception:  # noqa: BLE001 - Python goes on without as well, whatever it was
            anchors = None
        if anchors is None:
            return _plain_marks(shown, start, end)
        left, right = anchors.left_end_offset, anchors.right_start_offset
        if right <= left and len(part) == len(shown):
            return ""
    return "~" * left + "^" * (right - left) + "~" * (len(part) - right)


def _is_other_expression(part: str) -> bool:
    """Say whether *part* is an expression without marks of its own. It is parsed as one, which takes a fifth less than as
    a statement, as which Python parses it."""
    if part[0].isspace():
        return False  # it may be an expression, and is no statement
    try:
        parsed: Any = compile(part, "<unknown>", "eval", ast.PyCF_ONLY_AST)
    except Exception:  # noqa: BLE001 - then Python says what it is
        return False
    return not isinstance(parsed.body, ast.BinOp | ast.Subscript)


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
_STRING: Final = "|".join(
    rf"{quote}(?:[^{quote}\\{{}}]++|\\.|\{{[^'\"\\{{}}]*+\}})*+{quote}(?!{quote})" for quote in ("'", '"')
)
"""One that ends where it seems to, also as an f-string; from 3.12 on those may have strings within their braces."""
_INSIDE: Final = rf"[^()\[\]'\"#\\]++|{_STRING}"
_INSIDE_2: Final = rf"{_INSIDE}|\((?:{_INSIDE})*+\)|\[(?:{_INSIDE})*+\]"
_INSIDE_3: Final = rf"{_INSIDE}|\((?:{_INSIDE_2})*+\)|\[(?:{_INSIDE_2})*+\]"
_CALL: Final = re.compile(rf"[\w.]++(?:\((?:{_INSIDE_3})*+\)|\[(?:{_INSIDE_3})*+\]|[\w.]++)++(?<!\])")
"""Calls, subscripts and names in a row, of which the last is no subscript. Or a statement (`del(x)`), or no Python at
all: those have no marks of their own either."""
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
_KEYWORDS: Final = frozenset({*keyword.kwlist, "__debug__"})
_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_THING: Final = r"(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|0|[1-9]\d*|'[^'\"\\]*'|\"[^'\"\\]*\")"
_OPERAND: Final = rf"{_THING}(?:(?<=\w)\({_THING}?\)|(?<=\w)\[{_THING}\])?"
_SUBSCRIPT: Final = re.compile(rf"{_OPERAND}(?P<bracket>\[){_OPERAND}\]", re.ASCII)
_OPERATION: Final = re.compile(rf"{_OPERAND} ?(?P<operator>\*\*|//|<<|>>|[-+*/%@&|^]) ?{_OPERAND}", re.ASCII)
_TO_A_NAME: Final = re.compile(rf"{_NAME} = ", re.ASCII)
_shows_first_line_alone: Final = sys.version_info < (3, 13)
_parsed_anchors: Final = getattr(traceback, "_extract_caret_anchors_from_line_segment", None)
"""What Python has the marks from; the rest of its formatting takes longer than this when the line is short."""
_marks: Final[Callable[[str, int, int], str | None] | None] = (
    _marks_until_3_12 if sys.version_info < (3, 13) else _marks_of_3_13 if sys.version_info < (3, 14) else None
)
