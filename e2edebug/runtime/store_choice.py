"""Which database everything goes to and is read from: one rule for the writer, the command line and migrations."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from e2edebug.policy.config import Config, ConfigurationError
from e2edebug.policy.config_values import mask_url
from e2edebug.runtime import django_project

EMBEDDED_FILE = "e2edebug.sqlite3"


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """A database and why it is the one."""

    url: str
    """SQLAlchemy URL, password included: never print it."""
    described_as: str
    """For people: the database and what chose it, without the password."""
    is_embedded: bool
    """A SQLite file of our own, because nothing else was named."""
    django_alias: str | None = None
    """The alias of Django's DATABASES that it is, None when it is a database of its own."""


def choose_store_url(config: Config, *, load_django: bool = False) -> StoreChoice:
    """Return the store that *config* names, else the Django project's MySQL or MariaDB, else a SQLite file of our own.

    Never the host's own SQLite file: our commits would make its transactions fail with "database is locked".
    load_django: settings named by DJANGO_SETTINGS_MODULE are loaded if they are not yet (the command line does).
    """
    if config.database_url:
        source = config.sources.get("database_url", "argument")
        return StoreChoice(config.database_url, f"{mask_url(config.database_url)} ({source})", is_embedded=False)
    settings = django_project.configured_settings()
    if settings is None and load_django:
        settings = _loaded_settings()
    database = _django_database(settings, config.database_alias)
    if database is not None and _is_mysql(database):
        url = url_of_django_database(database)
        described = f"{mask_url(url)} (Django database {config.database_alias!r})"
        return StoreChoice(url, described, is_embedded=False, django_alias=config.database_alias)
    path = django_project.project_folder() / EMBEDDED_FILE
    return StoreChoice(f"sqlite:///{path}", f"{path} (no E2EDEBUG_DATABASE_URL is set)", is_embedded=True)


def url_of_django_database(database: Mapping[str, Any]) -> str:
    """Return the SQLAlchemy URL of an entry of Django's DATABASES that is MySQL or MariaDB.

    Of its OPTIONS, those that decide where and how securely to connect are taken over: unix_socket,
    read_default_file, ssl and ssl_mode's certificates. Raises ConfigurationError for a port that is no number.
    """
    options: Mapping[str, Any] = database.get("OPTIONS") or {}
    query: dict[str, str] = {}
    host = str(database.get("HOST") or "")
    # Django takes a HOST that starts with a slash for the path of a socket.
    socket = options.get("unix_socket") or (host if host.startswith("/") else "")
    if socket:
        query["unix_socket"] = str(socket)
        host = ""
    if options.get("read_default_file"):
        query["read_default_file"] = str(options["read_default_file"])
    for name, value in (options.get("ssl") or {}).items():
        if name in ("ca", "cert", "key", "capath", "cipher") and value:
            query[f"ssl_{name}"] = str(value)
    port = str(database.get("PORT") or "").strip()
    if port and not (port.isascii() and port.isdigit()):
        raise ConfigurationError([f"PORT={port!r} in Django's DATABASES is not a number"])
    return sa.URL.create(
        "mysql+pymysql",
        username=str(database.get("USER") or options.get("user") or "") or None,
        password=str(database.get("PASSWORD") or options.get("password") or options.get("passwd") or "") or None,
        host=host or options.get("host") or (None if socket else "localhost"),
        port=int(port) if port else None,
        database=str(database.get("NAME") or options.get("database") or options.get("db") or "") or None,
        query=query,
    ).render_as_string(hide_password=False)


def _loaded_settings() -> Any | None:
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        return None
    sys.path.insert(0, str(Path.cwd()))  # as `python manage.py` has it
    from django.conf import settings

    _ = settings.DATABASES
    return settings


def _django_database(settings: Any | None, alias: str) -> Mapping[str, Any] | None:
    if settings is None:
        return None
    # A test runner renames the database of a live connection ("test_shop"): what is connected to counts.
    database_module = sys.modules.get("django.db")
    if database_module is not None and alias in database_module.connections.databases:
        live: Mapping[str, Any] = database_module.connections[alias].settings_dict
        return live
    databases: Mapping[str, Mapping[str, Any]] = getattr(settings, "DATABASES", {})
    return databases.get(alias)


def _is_mysql(database: Mapping[str, Any]) -> bool:
    # django.db.backends.mysql, django.contrib.gis.db.backends.mysql, and pools and proxies that keep the last word.
    return str(database.get("ENGINE", "")).endswith("mysql")
