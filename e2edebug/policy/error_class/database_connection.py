"""There was no connection to the database, or it broke."""

from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "database.connection"

_UNREACHABLE: Final = frozenset({2002, 2003, 2005, 1130, 1129})
_LOST: Final = frozenset({0, 2006, 2013, 2014, 2027, 2045, 2055, 4031, 1927, 1053, 1152, 1158, 1159, 1160, 1161})
_FULL: Final = frozenset({1040, 1203, 1226})
_REFUSED: Final = frozenset({1044, 1045, 1049, 1698, 2059, 2061})
_NUMBERS: Final = _UNREACHABLE | _LOST | _FULL | _REFUSED
_WORDS: Final = (
    "unable to open database file", "connection refused", "could not connect to server", "connection already closed",
    "connection is closed", "server closed the connection", "lost connection", "server has gone away",
)  # fmt: skip


def matches(raised: Raised) -> bool:
    """By MySQL's number; by SQLAlchemy's pool; by wording for the others."""
    if raised.is_named("sqlalchemy.exc.TimeoutError", "psycopg_pool.PoolTimeout"):
        return True
    if not raised.is_of_database:
        return False
    if raised.number is not None:
        return raised.number in _NUMBERS
    text = raised.message.lower()
    return any(words in text for words in _WORDS)


def suggestion(raised: Raised) -> str:
    """By what stood in the way."""
    if raised.is_named("TimeoutError", "PoolTimeout"):
        return (
            "Every connection of the pool was in use, and none came back in time: look for code that keeps one while it "
            "waits for something else (`connection_pool` shows how many were in use), then raise `pool_size`."
            ""
        )
    if raised.number in _FULL:
        return (
            "The server has no connection left: processes times threads times databases must stay below `max_connections` "
            "(`SHOW STATUS LIKE 'Max_used_connections'`). Lower CONN_MAX_AGE or the pools, or raise the limit."
        )
    if raised.number in _REFUSED:
        return (
            "The server refused the login: check user, password, host and database name of this connection, and "
            "`SHOW GRANTS` for that user."
        )
    if raised.number in _UNREACHABLE or "refused" in raised.message.lower() or "could not connect" in raised.message:
        return (
            "The database cannot be reached: check host and port of this connection, that the server runs, and that "
            "nothing between blocks it."
        )
    if "unable to open database file" in raised.message:
        return "SQLite cannot open the file: check its path, that the folder exists and that this user may write in it."
    return (
        "The server, or something between, closed the connection. If it had been idle: CONN_HEALTH_CHECKS = True and "
        "CONN_MAX_AGE below the server's `wait_timeout` (SQLAlchemy: pool_pre_ping, pool_recycle). If not: look in the "
        "server's log for a restart, a kill, or a packet over `max_allowed_packet`."
    )
