"""What database drivers quote in their error messages: the values of the application's rows.

`(1062, "Duplicate entry 'ann@example.org' for key 'users.email'")` names a person. The numbers, the keys and the
columns are what helps, so they stay; the values become `?`. Linear in the text, like `secret_text`.
"""

import re
from typing import Final

from e2edebug.policy.secret_text import mask_secrets
from e2edebug.policy.server_messages import driver_messages
from e2edebug.policy.sql_text import mask_literals


def mask_text(text: str) -> str:
    """Return any text without secrets, and without the values of a database error that is quoted in it."""
    if any(map(text.__contains__, _UNMISTAKABLE)):
        text = _mask_values(text)
    return mask_secrets(text)


def mask_error_message(message: str, error_type: str = "") -> str:
    """Return an exception's *message* without secrets, and without SQL literals if SQL or a database speaks in it."""
    if _speaks_of_sql(message, error_type):
        message = _mask_values(message)
    return mask_secrets(message)


def mask_stack_trace(stack: str) -> str:
    """Return the text of a stack trace in which messages, causes and quoted source lines hold no secrets."""
    if _speaks_of_sql(stack, ""):
        stack = "".join(_masked_blocks(stack))
    return mask_secrets(stack)


def _speaks_of_sql(text: str, error_type: str) -> bool:
    if error_type.endswith(_DATABASE_ERRORS):
        return True
    lowered = text.lower()
    return any(map(lowered.__contains__, _HINTS)) or any(one in lowered and other in lowered for one, other in _PAIRS)


def _masked_blocks(stack: str) -> list[str]:
    """Mask between the frames: file names are quoted too, and must stay readable."""
    pieces: list[str] = []
    position = 0
    for frame in _FRAME.finditer(stack):
        pieces.append(_mask_values(stack[position : frame.start()]))
        pieces.append(frame.group())
        position = frame.end()
    pieces.append(_mask_values(stack[position:]))
    return pieces


def _mask_values(text: str) -> str:
    text = _mask_embedded_sql(text)
    pieces: list[str] = []
    position = 0
    for message in driver_messages(text):
        pieces += (_mask_unknown_values(text[position : message.start]), message.shown)
        position = message.end
    pieces.append(_mask_unknown_values(text[position:]))
    return "".join(pieces)


def _mask_unknown_values(text: str) -> str:
    """Mask by looks: what is quoted is a value, unless a word before it says that it is a name."""
    for start, end in _VALUE_BETWEEN:
        if start in text:
            text = _mask_between(text, start, end)
    text = _COMMENT.sub(lambda comment: "/* ? */" if comment.group().startswith("/*") else "-- ?", text)
    text = _QUOTED.sub(_mask_unless_named, text)
    text = _DOUBLE_QUOTED.sub(_mask_unless_message, text)
    return _DETAIL_VALUE.sub(r"\1?", text)


def _mask_embedded_sql(text: str) -> str:
    """SQLAlchemy appends `[SQL: …]` and `[parameters: …]` to a message, each on lines of its own."""
    start = text.find(_SQL_START)
    if start < 0:
        return text
    end = min((at for at in (text.find(mark, start) for mark in _SQL_ENDS) if at >= 0), default=len(text))
    statement = text[start + len(_SQL_START) : end]
    rest = _mask_embedded_sql_once_more(text[end:])
    return text[:start] + _SQL_START + mask_literals(statement) + rest


def _mask_embedded_sql_once_more(text: str) -> str:
    # A chain of two database errors holds the statement twice; deeper chains lose what follows their third one.
    start = text.find(_SQL_START)
    return text if start < 0 else text[:start] + _SQL_START + "?"


def _mask_between(text: str, start: str, end: str) -> str:
    """Replace what stands between the markers, up to the end of the text when the second one is missing."""
    pieces: list[str] = []
    position = 0
    while (opened := text.find(start, position)) >= 0:
        opened += len(start)
        pieces += (text[position:opened], "?")
        position = text.find(end, opened)
        if position < 0:
            return "".join(pieces)
    pieces.append(text[position:])
    return "".join(pieces)


def _mask_unless_named(match: re.Match[str]) -> str:
    return match.group() if match.group(1) else "'?'"


def _mask_unless_message(match: re.Match[str]) -> str:
    return match.group() if match.group("error_number") else f'{match.group("before")}"?"'


_DATABASE_ERRORS: Final = (
    "DatabaseError", "DataError", "IntegrityError", "InternalError", "InterfaceError", "NotSupportedError",
    "OperationalError", "ProgrammingError", "StatementError", "DBAPIError", "Violation", "MySQLError",
)  # fmt: skip
_HINTS: Final = (
    "duplicate entry", "[sql:", "[parameters:", "detail:  ", "integrityerror", "operationalerror", "programmingerror",
    "dataerror", "databaseerror", "insert into", "replace into", "delete from", "sql syntax",
)  # fmt: skip
_PAIRS: Final = (("select ", " from "), ("update ", " set "))

_SQL_START: Final = "[SQL: "
_SQL_ENDS: Final = ("]\n[parameters: ", "]\n(Background on this error")
_VALUE_BETWEEN: Final = (
    ("[parameters: ", "]\n(Background on this error"),
    ("Duplicate entry ", " for key"),
    ("near '", "' at line"),
    ("Failing row contains (", ")."),
)

_COMMENT: Final = re.compile(r"/\*[\s\S]*?(?:\*/|\Z)|(?<=\s)-- [^\n]*+")

# A quoted word after one of these is a name, not a value: kept. What a value can hold is skipped possessively.
_QUOTED: Final = re.compile(
    r"((?i:\b(?:key|column|table|database|index|constraint|view|function|procedure|field|user|in|host|variable|engine|file))"
    r" '[\w.$ @%<>-]{1,130}'(?:@'[\w.%-]{0,130}')?"
    # `(1205, 'Lock wait timeout exceeded; …')`: Python quotes a driver's message so when it quotes no value itself.
    r"|(?:\A|(?<=Error: )|(?<=Error\) ))\(\d{4}, '[^'\"\\\n]{1,200}'\)"
    # The apostrophe of `doesn't` opens nothing.
    r"|(?<=n)'(?=t\b))"
    r"|'(?:[^'\\]|\\.|'')*+(?:'|\Z)"
)
# MySQL takes "x" for a literal; PostgreSQL, for which it is a name, writes none of these before it in its messages.
# `(1062, "Duplicate entry …")` is a driver's message, whose values the other rules have masked.
_DOUBLE_QUOTED: Final = re.compile(
    r"(?i)(?P<before>(?:(?P<error_number>\(\d{1,5},)|[=(,<>]|\b(?:like|in|values|regexp|between|and))\s{0,2})"
    r"\"(?:[^\"\\]|\\.|\"\")*+(?:\"|\Z)"
)
_UNMISTAKABLE: Final = (
    "Duplicate entry ",
    "[SQL: ",
    "[parameters: ",
    "DETAIL:  ",
    " value: '",
    "SQL syntax",
    "Failing row contains (",
)
"""In messages of databases, and hardly anywhere else."""
_DETAIL_VALUE: Final = re.compile(
    r"(\)=\()[^\r\n]*?(?=\) (?:already exists|is not present|is still referenced|conflicts)|[\r\n]|\Z)"
)
_FRAME: Final = re.compile(r"(?m)^[ |+]*File \"[^\"\n]*\", line \d+(?:, in [^\n]*)?$")
