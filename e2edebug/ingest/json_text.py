"""JSON from strangers: read within bounds of depth, of the number of values, and of the length of numbers.

`json.loads` alone raises RecursionError for deep documents, or ends the process where the host has raised the recursion
limit; a number of a million digits takes it minutes where the limit of digits is switched off; it reads NaN, and takes
UTF-16 for JSON.
"""

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn

from e2edebug.ingest.refusal import Refusal, malformed

DEEPEST: Final = 128
"""The envelope of an attribute's value has 8 levels, and each level of a value in a value 3 more."""
_CONTAINERS_PER_ITEM: Final = 32
"""A span has 3 and two for each attribute; what a body can hold of them is far more than spans need."""
_LONGEST_NUMBER: Final = 40
# Possessive, because a plain repeat remembers each of its steps; an unterminated string ends with the text, or every
# quote in it would be tried as a beginning.
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_ALL_BUT_BRACKETS: Final = bytes(code for code in range(256) if code not in b"[]{}")


def read_json(body: bytes, *, max_items: int) -> Any:
    """Return what *body* says. Raises Refusal: 400 for what is no JSON, or too deep; 413 for too many values."""
    most = max_items * _CONTAINERS_PER_ITEM
    if body.count(b"{") + body.count(b"[") > most:
        raise Refusal(413, f"the request has more than {most} values")
    _check_depth(body)
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise malformed("the body is no JSON document in UTF-8") from error


def _check_depth(body: bytes) -> None:
    """Refuse what is too deep. The steps up and down are added up in C; whether they fit together is json's business."""
    steps = _STRINGS.sub(b"", body).translate(_STEPS, _ALL_BUT_BRACKETS)
    if max(accumulate(memoryview(steps).cast("b")), default=0) > DEEPEST:
        raise malformed(f"the body is nested deeper than {DEEPEST}")


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    return int(text)


def _number(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    return float(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
