"""Column types of the store: what each kind of value is on MySQL/MariaDB and on SQLite.

Charset and collation stand on every text column, because the default of a server or database (latin1 under
`--no-defaults`, utf8mb4_0900_ai_ci on MySQL 8, which MariaDB does not know) must not decide what can be stored.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Dialect, Double, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine

SERVER_DIALECTS: Final = ("mysql", "mariadb")
"""SQLAlchemy's names for the server dialects; everything of one holds for the other unless a module says otherwise."""

IDENTIFIER_COLLATION: Final = "ascii_bin"
NAME_COLLATION: Final = "utf8mb4_bin"
PROSE_COLLATION: Final = "utf8mb4_unicode_520_ci"
"""Free text is searched by people, so case does not count; MySQL >= 5.6 and every MariaDB have this collation."""


class UtcDateTime(TypeDecorator[datetime]):
    """UTC with microseconds: takes and gives aware datetimes, stores `YYYY-MM-DD HH:MM:SS.ffffff` without a zone."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATETIME rounds to whole seconds unless a precision is given (MySQL manual, "Fractional Seconds")."""
        if dialect.name in SERVER_DIALECTS:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Refuse a naive time: whether it was local or UTC cannot be told any more."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the store takes aware datetimes")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Say that what was stored is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class AsciiString(String):
    """Text that a column keeps as ASCII; MySQL refuses even to compare such a column with any other text."""


def utc_time() -> TypeEngine[datetime]:
    """A moment, always in UTC."""
    return UtcDateTime()


def row_id() -> TypeEngine[int]:
    """An auto-increment surrogate key; SQLite makes one of INTEGER only."""
    return BigInteger().with_variant(Integer(), "sqlite")


def fixed_code(length: int) -> TypeEngine[str]:
    """ASCII of one length (hexadecimal ids and digests), compared byte by byte."""
    return AsciiString(length).with_variant(
        mysql.CHAR(length, charset="ascii", collation=IDENTIFIER_COLLATION), *SERVER_DIALECTS
    )


def code(length: int) -> TypeEngine[str]:
    """ASCII up to *length* (correlation ids, closed sets such as a status), compared byte by byte."""
    return AsciiString(length).with_variant(
        mysql.VARCHAR(length, charset="ascii", collation=IDENTIFIER_COLLATION), *SERVER_DIALECTS
    )


def name(length: int) -> TypeEngine[str]:
    """Any text up to *length* characters that is grouped and compared exactly. Trailing blanks do not count in it."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation=NAME_COLLATION), *SERVER_DIALECTS
    )


def prose(length: int) -> TypeEngine[str]:
    """Any text up to *length* characters that people read and search, whatever its case."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation=PROSE_COLLATION), *SERVER_DIALECTS
    )


def short_text() -> TypeEngine[str]:
    """Text up to 65,535 bytes."""
    return Text().with_variant(mysql.TEXT(charset="utf8mb4", collation=PROSE_COLLATION), *SERVER_DIALECTS)


def medium_text() -> TypeEngine[str]:
    """Text up to 16 MB."""
    return Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation=PROSE_COLLATION), *SERVER_DIALECTS)


def long_text() -> TypeEngine[str]:
    """JSON and SQL as text. Not the JSON type: its check costs a fifth of the insert, and it refuses depth 32."""
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation=NAME_COLLATION), *SERVER_DIALECTS)


def milliseconds() -> TypeEngine[float]:
    """A double: a span of 40 microseconds is not 0."""
    return Double()
