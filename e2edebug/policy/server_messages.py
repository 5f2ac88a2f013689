"""The wording of MySQL's and MariaDB's errors: which of their parts are names, and which are values of rows.

A driver shows them as `(1146, "Table 'shop.cart' doesn't exist")`, MySQL's own connector as `1146 (42S02): Table …`.
A message that is worded as its number says keeps everything but its values. Any other one (another language, a newer
server, a number that is not listed) is left to rules that know less and mask more.
"""

import ast
import re
from typing import Final, NamedTuple

from e2edebug.policy.sql_text import mask_literals


class DriverMessage(NamedTuple):
    """A driver's message inside a text, and what may be shown of it."""

    start: int
    end: int
    shown: str


def driver_messages(text: str) -> list[DriverMessage]:
    """Return the messages in *text* whose wording is known, in order. Linear in the text."""
    found: list[DriverMessage] = []
    if "(" not in text:
        return found
    for match in _MESSAGE.finditer(text):
        quoted = match["quoted"]
        message = match["plain"] if quoted is None else _unquoted(quoted)
        masked = _masked(int(match["number"] or match["plain_number"]), message)
        if masked is not None:
            start, end = match.span("plain" if quoted is None else "quoted")
            found.append(DriverMessage(start, end, masked if quoted is None else repr(masked)))
    return found


def _masked(number: int, message: str) -> str | None:
    """Return *message* without its values; None when it is not worded as messages of this number are."""
    for wording in _wordings.get(number) or _compiled(number):
        match = wording.fullmatch(message)
        if match is not None:
            return _without_values(message, match)
    return None


def _without_values(message: str, match: re.Match[str]) -> str:
    if match.groupdict().get("value") is not None:
        return f"{message[: match.start('value')]}?{message[match.end('value') :]}"
    if match.groupdict().get("expression") is not None:
        start, end = match.span("expression")
        return f"{message[:start]}{mask_literals(message[start:end])}{message[end:]}"
    return message


def _unquoted(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted[1:-1]
    try:
        return str(ast.literal_eval(quoted))
    except (SyntaxError, ValueError):  # not written by repr(), so no driver's message
        return ""


# A message in a literal of a statement ends before a quote; it stays with the literal, which is masked as a whole.
_MESSAGE: Final = re.compile(
    r"(?m)(?:^|(?<=: )|(?<=\) ))(?:"
    r"\((?P<number>\d{4}), (?P<quoted>\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+')\)(?=[\s.;,)]|\Z)"
    r"|(?P<plain_number>\d{4}) \([0-9A-Z]{5}\): (?P<plain>[^\n]*+)$)"
)

_PARTS: Final = {
    "name": r"[^'\"`\\\n]{1,200}",
    "names": r"[\w`.,() $#-]{0,2000}",
    "number": r"-?\d{1,20}",
    "words": r"[A-Za-z ,'{}\[\].-]{1,120}",
    "detail": r"(?: \([^\n]{0,300}\))?",
    "value": r"(?P<value>[\s\S]*)",
    "expression": r"(?P<expression>[\s\S]*)",
}
"""What stands for what in the wordings; one value or expression at most in each. A `detail` is of the operating system."""

_WORDINGS: Final[dict[int, tuple[str, ...]]] = {
    1005: ("Can't create table {names} (errno: {number} \"{words}\")", "Can't create table '{name}' (errno: {number})"),
    1022: ("Can't write; duplicate key in table '{name}'",),
    1040: ("Too many connections",),
    1044: ("Access denied for user '{name}'@'{name}' to database '{name}'",),
    1045: (
        "Access denied for user '{name}'@'{name}' (using password: YES)",
        "Access denied for user '{name}'@'{name}' (using password: NO)",
        "Access denied for user '{name}'@'{name}'",
    ),
    1046: ("No database selected",),
    1048: ("Column '{name}' cannot be null",),
    1049: ("Unknown database '{name}'",),
    1050: ("Table '{name}' already exists",),
    1051: ("Unknown table '{name}'",),
    1052: ("Column '{name}' in {words} is ambiguous",),
    1054: ("Unknown column '{name}' in '{name}'",),
    1060: ("Duplicate column name '{name}'",),
    1061: ("Duplicate key name '{name}'",),
    1062: ("Duplicate entry {value} for key '{name}'",),
    1064: (
        "You have an error in your SQL syntax; check the manual that corresponds to your {words} version for the right "
        "syntax to use near '{value}' at line {number}",
    ),
    1091: (
        "Can't DROP '{name}'; check that column/key exists",
        "Can't DROP {names}; check that it exists",
    ),
    1093: (
        "You can't specify target table '{name}' for update in FROM clause",
        "Table '{name}' is specified twice, both as a target for '{name}' and as a separate source for data",
    ),
    1136: ("Column count doesn't match value count at row {number}",),
    1142: (
        "{words} command denied to user '{name}'@'{name}' for table '{name}'",
        "{words} command denied to user '{name}'@'{name}' for table {names}",
    ),
    1146: ("Table '{name}' doesn't exist",),
    1153: ("Got a packet bigger than '{name}' bytes",),
    1205: ("Lock wait timeout exceeded; try restarting transaction",),
    1213: ("Deadlock found when trying to get lock; try restarting transaction",),
    1214: ("The used table type doesn't support {words} indexes", "The storage engine {name} doesn't support {words}"),
    1216: ("Cannot add or update a child row: a foreign key constraint fails",),
    1217: ("Cannot delete or update a parent row: a foreign key constraint fails",),
    1264: ("Out of range value for column '{name}' at row {number}",),
    1265: ("Data truncated for column '{name}' at row {number}",),
    1292: (
        "Incorrect {words} value: '{value}' for column '{name}' at row {number}",
        "Incorrect {words} value: '{value}' for column {names} at row {number}",
        "Truncated incorrect {words} value: '{value}'",
        "Incorrect {words} value: '{value}'",
    ),
    1305: ("{words} {names} does not exist",),
    1317: ("Query execution was interrupted",),
    1364: ("Field '{name}' doesn't have a default value",),
    1366: (
        "Incorrect {words} value: '{value}' for column '{name}' at row {number}",
        "Incorrect {words} value: '{value}' for column {names} at row {number}",
    ),
    1406: ("Data too long for column '{name}' at row {number}",),
    1411: ("Incorrect {words} value: '{value}' for function {name}",),
    1451: ("Cannot delete or update a parent row: a foreign key constraint fails ({names})",),
    1452: ("Cannot add or update a child row: a foreign key constraint fails ({names})",),
    1690: ("{words} value is out of range in '{expression}'",),
    2002: (
        "Can't connect to {words} server through socket '{name}' ({number})",
        "Can't connect to {words} server on '{name}'{detail}",
        "Can't connect to server on '{name}'{detail}",
    ),
    2003: ("Can't connect to {words} server on '{name}'{detail}", "Can't connect to server on '{name}'{detail}"),
    2006: ("{words} has gone away{detail}",),
    2013: (
        "Lost connection to {words} during query{detail}",
        "Lost connection to {words} at '{name}', system error: {number}{detail}",
    ),
    3140: ("Invalid JSON text: \"{words}\" at position {number} in value for column '{name}'.",),
    3819: ("Check constraint '{name}' is violated.",),
    4025: ("CONSTRAINT {names} failed for {names}",),
}  # fmt: skip
"""MySQL 8.4's `messages_to_clients.txt` and MariaDB 10.11's `errmsg-utf8.txt`, and from 2000 on those of the clients."""

_wordings: dict[int, tuple[re.Pattern[str], ...]] = {}


def _compiled(number: int) -> tuple[re.Pattern[str], ...]:
    """Return the wordings of a number, made when the first error of it comes."""
    if number not in _WORDINGS:
        return ()
    made = _wordings[number] = tuple(re.compile(_pattern(wording)) for wording in _WORDINGS[number])
    return made


def _pattern(wording: str) -> str:
    # Literal and placeholder take turns. Braces of no known part would be a mistake in the table above.
    pieces = re.split(r"\{(\w+)\}", wording)
    return "".join(_PARTS[piece] if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
