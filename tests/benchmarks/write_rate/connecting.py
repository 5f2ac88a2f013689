"""Connections of the peers, with what our own sessions set."""

from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

_SESSION = "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', unique_checks = 1"


def connected(store_url: str, **options: Any) -> "pymysql.connections.Connection[Any]":
    """Return a connection of the driver to *store_url*."""
    url = urlsplit(store_url)
    return pymysql.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=url.username,
        password=unquote(url.password or ""),
        database=url.path.lstrip("/"),
        charset="utf8mb4",
        init_command=_SESSION,
        **options,
    )
