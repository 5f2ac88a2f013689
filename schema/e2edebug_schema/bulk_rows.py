"""Many rows in few statements, as fast as a server takes them: for bulk loading, not for what applications record.

The driver's executemany spends three times as long on the text of a statement as the server on its rows. Here each
value is quoted once: most texts of a bulk load come again and again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table

from e2edebug_schema.column_types import SERVER_DIALECTS

STATEMENT_BYTES: Final = 900_000
"""Below the smallest max_allowed_packet that servers have by default (MySQL 5.7: 4 MB; set to 1 MB by some)."""

_LONGEST_REMEMBERED: Final = 4096
_MOST_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class BulkInsert:
    """Some rows of one table, ready to be sent: what is left to do is the server's work."""

    statements: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    """SQLite takes the values beside the statement."""

    def send(self, connection: Connection) -> None:
        """Insert the rows."""
        for text in self.statements:
            if self.rows:
                connection.exec_driver_sql(text, list(self.rows))
            else:
                # Else the driver would take a percent sign in the text for a place to fill.
                connection.exec_driver_sql(text, execution_options={"no_parameters": True})


class BulkRows:
    """Writes the statements for rows of plain numbers, texts and None. One for one load."""

    def __init__(self) -> None:
        self._quoted: dict[str, str] = {}

    def prepare(
        self, dialect: Dialect, table: Table, fields: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> BulkInsert:
        """Return what inserts *rows*, whose values are in the order of *fields*."""
        if not rows:
            return BulkInsert(())
        columns = ", ".join(dialect.identifier_preparer.quote(name) for name in fields)
        head = f"INSERT INTO {table.name} ({columns}) VALUES "  # noqa: S608  # names of our own
        if dialect.name not in SERVER_DIALECTS:
            marks = ", ".join(["?"] * len(fields))
            return BulkInsert((f"{head}({marks})",), tuple(map(tuple, rows)))
        return BulkInsert(tuple(self._statements(head, rows)))

    def _statements(self, head: str, rows: Iterable[Sequence[Any]]) -> Iterable[str]:
        parts: list[str] = []
        size = 0
        for row in rows:
            part = f"({','.join([self._literal(value) for value in row])})"
            if parts and size + len(part) > STATEMENT_BYTES:
                yield head + ",".join(parts)
                parts, size = [], 0
            parts.append(part)
            size += len(part) + 1
        yield head + ",".join(parts)

    def _literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if type(value) is str:
            found = self._quoted.get(value)
            return found if found is not None else self._quote(value)
        return repr(value)

    def _quote(self, value: str) -> str:
        # Our sessions' sql_mode is without NO_BACKSLASH_ESCAPES (server_session.py), where a backslash escapes.
        text = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        if len(value) > 40 and len(value) <= _LONGEST_REMEMBERED and len(self._quoted) < _MOST_REMEMBERED:
            self._quoted[value] = text
        return text
