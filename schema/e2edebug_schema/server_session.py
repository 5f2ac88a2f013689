"""Connections to MySQL and MariaDB, with the session that the store relies on."""

import re
from importlib import import_module
from typing import Any, Final

import pymysql.connections
from pymysql.constants import CLIENT

from e2edebug_schema.store_errors import UnsupportedServer

MYSQL_FLOOR: Final = (8, 0)
MARIADB_FLOOR: Final = (10, 6)

LOCK_WAIT_S: Final = 5
"""Row and metadata locks. Below the read timeout, else the driver gives up first and the outcome is unknown; the
servers' own defaults are 50 s and 86,400 s."""

_SQL_MODE: Final = "STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_SESSION: Final = (
    f"SET time_zone = '+00:00', sql_mode = '{_SQL_MODE}', "
    f"innodb_lock_wait_timeout = {LOCK_WAIT_S}, lock_wait_timeout = {LOCK_WAIT_S}"
)


def open_pymysql(options: dict[str, Any]) -> Any:
    """Return a PyMySQL connection. All three timeouts must be among *options*.

    A new connection to a frozen server is bounded by the read timeout alone: with connect_timeout=3 it hung for 617 s
    (reliability measurements, finding 2). So until it is ready, reading is given no longer than connecting.
    """
    read_timeout_s = options["read_timeout"]
    handshake = options | {"read_timeout": min(read_timeout_s, options["connect_timeout"])}
    connection = _prepared(pymysql.connections.Connection(**_changed_rows_counted(handshake)))
    connection._read_timeout = read_timeout_s  # there is no public name; it is looked up anew for each packet
    return connection


def open_mysqlclient(options: dict[str, Any]) -> Any:
    """Return a mysqlclient connection; it takes whole seconds only."""
    driver = import_module("MySQLdb.connections")  # not a dependency
    whole = {key: max(1, round(options[key])) for key in ("connect_timeout", "read_timeout", "write_timeout")}
    return _prepared(driver.Connection(**_changed_rows_counted(options | whole)))


def require_supported_server(version: str) -> None:
    """Raise UnsupportedServer unless *version*, as the server gives it in its greeting, is one that we support."""
    is_mariadb = "mariadb" in version.lower()
    # A MariaDB server may greet as 5.5.5-10.11.6-MariaDB, for replication slaves of old.
    numbers = re.search(r"(\d+)\.(\d+)", version.removeprefix("5.5.5-"))
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if found < (MARIADB_FLOOR if is_mariadb else MYSQL_FLOOR):
        raise UnsupportedServer(f"the server is {version}; e2edebug needs MySQL 8.0 or MariaDB 10.6, or newer")


def _changed_rows_counted(options: dict[str, Any]) -> dict[str, Any]:
    # SQLAlchemy sets FOUND_ROWS; with it a row that was already there counts like a new one.
    return options | {"client_flag": options.get("client_flag", 0) & ~CLIENT.FOUND_ROWS, "charset": "utf8mb4"}


def _prepared(connection: Any) -> Any:
    try:
        require_supported_server(connection.get_server_info())
        cursor = connection.cursor()
        cursor.execute(_SESSION)
        cursor.close()
    except BaseException:
        connection.close()
        raise
    return connection
