"""Through which of Django's database aliases the models reach the store.

There is one store. Is it a database of the project, its alias serves; is it anywhere else, an alias of our own is
registered for it. Under a test runner it is the project's (test) database, so that tests see and roll back their rows.
"""

from typing import Any, Final

import sqlalchemy as sa
from django.db import connections

from e2edebug.policy.config import Config
from e2edebug.policy.own_statements import STORE_ALIAS
from e2edebug.runtime import django_tests
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_schema.column_types import SERVER_DIALECTS
from e2edebug_schema.engine import parse_store_urls

SUPPORTED_VENDORS: Final = ("sqlite", "mysql")


def alias_of_store() -> str | None:
    """Return the alias to read and write the models through; None when a test's database cannot hold the tables."""
    config = config_in_force()
    if django_tests.is_test_environment():
        alias = config.database_alias
        return alias if alias in connections.databases and connections[alias].vendor in SUPPORTED_VENDORS else None
    return choose_store_url(config).django_alias or STORE_ALIAS


def register_store_alias() -> None:
    """Make the store reachable for Django, if it is not one of the project's databases. Idempotent."""
    config = config_in_force()
    choice = choose_store_url(config)
    if choice.django_alias is not None or STORE_ALIAS in connections.databases:
        return
    entry = database_entry(choice.url, config)
    if entry["ENGINE"].endswith("mysql"):
        _provide_mysqldb()
    connections.settings[STORE_ALIAS] = connections.configure_settings({"default": {}, STORE_ALIAS: entry})[STORE_ALIAS]


def forget_store_alias() -> None:
    """Take our own alias away: a test runner would make a database for it, and tests use the project's."""
    if STORE_ALIAS in connections.settings:
        if hasattr(connections._connections, STORE_ALIAS):  # type: ignore[attr-defined]  # not in the stubs
            connections[STORE_ALIAS].close()
            del connections[STORE_ALIAS]
        del connections.settings[STORE_ALIAS]


def database_entry(url: str, config: Config) -> dict[str, Any]:
    """Return *url* as an entry of Django's DATABASES."""
    urls = parse_store_urls(url)
    parsed = urls[0]
    if parsed.get_backend_name() not in SERVER_DIALECTS:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parsed.database or ":memory:",
            # A transaction that reads first and writes later fails at once when another process writes meanwhile.
            "OPTIONS": {"timeout": config.write_timeout_s, "transaction_mode": "IMMEDIATE"},
        }
    options = _mysql_options(parsed, config)
    if len(urls) > 1:
        options["e2edebug_hosts"] = [(one.host or "localhost", one.port or 3306) for one in urls]
    return {
        "ENGINE": "django.db.backends.mysql" if len(urls) == 1 else "e2edebug.django.failover_mysql",
        "NAME": parsed.database or "",
        "USER": parsed.username or "",
        "PASSWORD": str(parsed.password or ""),
        "HOST": parsed.host or "",
        "PORT": str(parsed.port or ""),
        "OPTIONS": options,
    }


def _mysql_options(url: sa.URL, config: Config) -> dict[str, Any]:
    # Django asks the driver for whole seconds; 0 would mean for ever.
    options: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": max(1, round(config.connect_timeout_s)),
        "read_timeout": max(1, round(config.read_timeout_s)),
        "write_timeout": max(1, round(config.write_timeout_s)),
    }
    certificates = {}
    for name, value in url.query.items():
        if name in ("unix_socket", "read_default_file"):
            options[name] = value
        elif name.startswith("ssl_") and name != "ssl_check_hostname":
            certificates[name.removeprefix("ssl_")] = value
    if certificates:
        options["ssl"] = certificates
    return options


def _provide_mysqldb() -> None:
    """Django's MySQL backend imports MySQLdb; PyMySQL, which we depend on, stands in where mysqlclient is absent."""
    try:
        import MySQLdb  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: F401  # mysqlclient has no types
    except ImportError:
        import pymysql

        pymysql.install_as_MySQLdb()
