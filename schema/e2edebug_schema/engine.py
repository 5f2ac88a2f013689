"""One engine for the store: a pool of one connection that never waits for ever and never shows up in a trace.

Connections are made by the drivers' connection classes, not by their `connect` functions: instrumentation wraps those
functions, and our own statements must not become spans of the application that hosts us.
"""

import inspect
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy.engine
from sqlalchemy import URL, Connection, Dialect, Engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import PoolResetState, QueuePool

from e2edebug.policy.config_values import mask_url
from e2edebug.policy.database_hosts import url_per_host
from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.host_failover import HostFailover
from e2edebug_schema.read_limits import READ_ONLY_OPTION, limit_reads
from e2edebug_schema.sqlite_session import open_sqlite
from e2edebug_schema.store_errors import StoreUrlError

__all__ = [
    "READ_ONLY_OPTION",
    "STORE_ENGINE_OPTION",
    "create_store_engine",
    "hosts_of",
    "parse_store_url",
    "read_max_allowed_packet",
]

STORE_ENGINE_OPTION: Final = "e2edebug_store"
"""Execution option that marks our own engine, for whoever instruments SQLAlchemy."""

_HOSTS_OPTION: Final = "e2edebug_hosts"

POOL_TIMEOUT_S: Final = 2.0
POOL_RECYCLE_S: Final = 240
_NOT_IN_QUORUM: Final = 1047
"""What a Galera node without a quorum answers to a statement: "WSREP has not yet prepared node for application use"."""

_STATUS_IN_TRANSACTION: Final = 1
"""SERVER_STATUS_IN_TRANS of the MySQL protocol."""

_ACCEPTED_FORMS: Final = (
    "mysql+pymysql://user:password@host:3306/database, mariadb+pymysql://..., mysql+mysqldb://... "
    "(several hosts: host1:3306,host2:3306) or sqlite:///path"
)


def create_store_engine(
    url: str | URL, *, connect_timeout_s: float = 3, read_timeout_s: float = 10, write_timeout_s: float = 10
) -> Engine:
    """Return an engine on the store; no connection is made before the first use.

    The pool holds one connection, so one thread at a time may use the engine: a second one waits 2 s and fails.
    Server sessions are UTC, strict and utf8mb4; a row count counts changed rows (FOUND_ROWS is off).
    A transaction on SQLite takes the write lock at its start, unless the connection has READ_ONLY_OPTION.
    A URL with several hosts leads to the first that answers, and rather to one that takes rows; the engine's own `url`
    names the first.
    Raises StoreUrlError; the first connection may raise UnsupportedServer.
    """
    urls = parse_store_urls(url)
    store_url = urls[0]
    timeouts = {
        "connect_timeout": connect_timeout_s,
        "read_timeout": read_timeout_s,
        "write_timeout": write_timeout_s,
    }
    try:
        # Unwrapped, because SQLAlchemy instrumentation replaces create_engine and would trace our statements.
        engine: Engine = inspect.unwrap(sqlalchemy.engine.create_engine)(
            store_url,
            creator=_connection_maker(urls, timeouts),
            poolclass=QueuePool,
            pool_logging_name="e2edebug",  # by which the application's own pools are told from it
            pool_size=1,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_reset_on_return=None,  # see _end_open_transaction
            pool_recycle=POOL_RECYCLE_S if store_url.get_backend_name() in SERVER_DIALECTS else -1,
            execution_options={STORE_ENGINE_OPTION: True, _HOSTS_OPTION: tuple(map(_host, urls))},
        )
    except ModuleNotFoundError as error:
        raise StoreUrlError(f"the driver of {_shown(store_url)!r} is not installed: {error.name}") from error
    limit_reads(engine, read_timeout_s=read_timeout_s)
    event.listen(engine, "handle_error", _give_up_a_node_in_a_minority)
    event.listen(engine, "reset", _end_open_transaction)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_sqlite_transaction)
    return engine


def _end_open_transaction(connection: Any, _record: object, state: PoolResetState) -> None:
    """Roll back what a connection that comes back to the pool has open.

    The pool would do so each time, also after a commit, and each time wait for the server once more.
    """
    if state.terminate_only or state.transaction_was_reset:
        return
    if _is_in_transaction(connection):
        connection.rollback()


def _is_in_transaction(connection: Any) -> bool:
    """Say what the driver knows; True where it says nothing."""
    status = getattr(connection, "server_status", None)  # PyMySQL: of the server's last answer
    if isinstance(status, int):
        return bool(status & _STATUS_IN_TRANSACTION)
    return bool(getattr(connection, "in_transaction", True))  # sqlite3


def hosts_of(engine: Engine) -> tuple[str, ...]:
    """Return the hosts of *engine* as `host:port`, in the order in which they are tried."""
    hosts: tuple[str, ...] = engine.get_execution_options().get(_HOSTS_OPTION) or (_host(engine.url),)
    return hosts


def parse_store_urls(url: str | URL) -> list[URL]:
    """Return *url* once for each host that it names. Raises StoreUrlError."""
    if isinstance(url, URL):
        return [_parse_one(url)]
    return [_parse_one(one) for one in url_per_host(url)]


def parse_store_url(url: str | URL) -> URL:
    """Return *url* with its driver made explicit, and of several hosts the first; `mysql://` means PyMySQL.

    Raises StoreUrlError.
    """
    return parse_store_urls(url)[0]


def _give_up_a_node_in_a_minority(context: ExceptionContext) -> None:
    # Not among SQLAlchemy's disconnects: the pool would give the connection out again, and never look for another host.
    arguments = context.original_exception.args
    if arguments and arguments[0] == _NOT_IN_QUORUM:
        context.is_disconnect = True


def _host(url: URL) -> str:
    return f"{url.host or 'localhost'}:{url.port or 3306}"


def _parse_one(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
        # SQLAlchemy's default driver of mysql:// is mysqlclient, which needs a C compiler; PyMySQL is our dependency.
        if parsed.drivername in SERVER_DIALECTS:
            parsed = parsed.set(drivername=f"{parsed.drivername}+pymysql")
        backend, driver = parsed.get_backend_name(), parsed.get_driver_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        # Not the URL itself, not even masked: a text that cannot be parsed may hold its password anywhere.
        raise StoreUrlError(f"the database URL cannot be read; accepted: {_ACCEPTED_FORMS}") from None
    if backend == "sqlite" and driver == "pysqlite":
        return parsed
    shown = _shown(parsed)
    if backend not in SERVER_DIALECTS or driver not in ("pymysql", "mysqldb"):
        raise StoreUrlError(f"{shown!r} is not a database of e2edebug; accepted: {_ACCEPTED_FORMS}")
    if "@" in (parsed.host or ""):
        # Taken for the host, what follows the first @ would be shown in every error: it is part of the password.
        raise StoreUrlError("the password in the database URL has an '@': write it as %40")
    if not parsed.database:
        raise StoreUrlError(f"{shown!r} names no database; accepted: {_ACCEPTED_FORMS}")
    return parsed


def _shown(url: URL) -> str:
    # SQLAlchemy hides the password before the host, not the one in `?password=`.
    return mask_url(url.render_as_string(hide_password=True))


def read_max_allowed_packet(connection: Connection) -> int:
    """Return how many bytes one statement may have."""
    if connection.dialect.name in SERVER_DIALECTS:
        return int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw.getlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH)


def _connection_maker(urls: Sequence[URL], timeouts: dict[str, float]) -> Callable[[], Any]:
    makers = [_maker_for_one(url, timeouts) for url in urls]
    return makers[0] if len(makers) == 1 else HostFailover(makers)


def _maker_for_one(url: URL, timeouts: dict[str, float]) -> Callable[[], Any]:
    dialect_class = url.get_dialect()
    dialect: Dialect = dialect_class()
    dialect.dbapi = dialect_class.import_dbapi()  # create_connect_args asks the driver for its flags
    positional, keywords = dialect.create_connect_args(url)
    if dialect.name == "sqlite":
        filename = str(positional[0])
        return lambda: open_sqlite(filename, dict(keywords))
    # Here, where the driver has just been imported, and not above: with a SQLite file nobody needs PyMySQL, and the 34
    # modules of cryptography that it imports.
    from e2edebug_schema.server_session import open_mysqlclient, open_pymysql

    opener = open_pymysql if url.get_driver_name() == "pymysql" else open_mysqlclient
    return lambda: opener({**timeouts, **keywords})


def _begin_sqlite_transaction(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once with "database is locked", whatever the busy
    # timeout: 28,185 errors in 4 s with four processes, against 0 with IMMEDIATE (reliability measurements, fault 17).
    reading = connection.get_execution_options().get(READ_ONLY_OPTION, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
