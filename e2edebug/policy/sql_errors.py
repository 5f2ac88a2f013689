"""What databases say when they refuse a statement, without the values that they quote."""

from typing import Final

# (what stands before a value, what ends it). MySQL and MariaDB: errmsg-utf8.txt; PostgreSQL: DETAIL and LINE of its
# messages; SQLite: sqlite3ErrorMsg; SQLAlchemy: StatementError._sql_message, which appends every parameter.
_QUOTATIONS: Final = (
    ("Duplicate entry '", ("' for key",)),
    ("syntax to use near '", ("' at line",)),
    (" value: '", ("' for column", "' for function", "'")),
    ('near "', ('": syntax error',)),
    ('unrecognized token: "', ('"',)),
    (")=(", (") already exists", ") is not present", ") is still referenced", ") conflicts with")),
    ("invalid input syntax for", ("\n",)),
    ("invalid input value for", ("\n",)),
    ("\nLINE ", ("\n",)),
    ("[SQL: ", ("]\n[parameters: ", "]\n(Background on this error")),
    ("[parameters: ", ("]\n(Background on this error",)),
    ("Failing row contains (", (").\n",)),
)


def mask_error_message(message: str) -> str:
    """Return a message of a database error with `?` for every value in it; any other text unchanged.

    Also takes a formatted traceback that ends with such a message. When the end of a value cannot be found, all that
    follows is masked. Linear in the length of *message*.
    """
    for opener, closers in _QUOTATIONS:
        if opener in message:
            message = _mask_between(message, opener, closers)
    return message


def _mask_between(message: str, opener: str, closers: tuple[str, ...]) -> str:
    pieces: list[str] = []
    position = 0
    closers_left = list(closers)
    while (start := message.find(opener, position)) >= 0:
        start += len(opener)
        end = -1
        while closers_left:
            end = message.find(closers_left[0], start)
            if end >= 0:
                break
            del closers_left[0]  # it will not be found further on either
        pieces += message[position:start], "?"
        if end < 0:
            return "".join(pieces)
        position = end
    return "".join(pieces) + message[position:]
