"""A query that only reads ends on the server, too, when its reader has stopped waiting for it.

Without a limit a client that has timed out leaves its statement running. MySQL and MariaDB have different means: a
hint that stands in the SELECT, and a setting for one statement.
"""

import re
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from e2edebug_schema.column_types import SERVER_DIALECTS

READ_ONLY_OPTION: Final = "e2edebug_read_only"
"""Execution option of a connection that only reads. On SQLite it then takes no write lock either."""

_SHARE_OF_READ_TIMEOUT: Final = 0.9
_FIRST_SELECT: Final = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_READS: Final = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)


def limit_reads(engine: Engine, *, read_timeout_s: float) -> None:
    """End what reading connections of *engine* run on a server shortly before the driver gives up."""
    if engine.dialect.name not in SERVER_DIALECTS:
        return
    limit_s = read_timeout_s * _SHARE_OF_READ_TIMEOUT

    def limited(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        if not connection.get_execution_options().get(READ_ONLY_OPTION, False):
            return statement, parameters
        is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
        return limited_statement(statement, limit_s=limit_s, is_mariadb=is_mariadb), parameters

    event.listen(engine, "before_cursor_execute", limited, retval=True)


def limited_statement(statement: str, *, limit_s: float, is_mariadb: bool) -> str:
    """Return *statement* so that the server ends it after *limit_s*; unchanged when it does more than read.

    MySQL takes its hint behind the first SELECT only, so a statement that begins with WITH goes unlimited there.
    """
    if is_mariadb:
        return (
            f"SET STATEMENT max_statement_time={limit_s:.3f} FOR {statement}" if _READS.match(statement) else statement
        )
    select = _FIRST_SELECT.match(statement)
    if select is None:
        return statement
    return f"{select[0]} /*+ MAX_EXECUTION_TIME({limit_s * 1000:.0f}) */{statement[select.end() :]}"
