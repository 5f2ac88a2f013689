"""The shop's database, from DATABASE_URL to Django's DATABASES entry."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DEFAULT_DATABASE = "e2edebug_shop"
LOCK_WAIT_S = 2


class DatabaseUrlError(ValueError):
    """DATABASE_URL names a database that the shop cannot use."""


def database_from_url(url: str | None, *, folder: Path) -> dict[str, Any]:
    """Return the Django settings of the database at *url*; without one, a SQLite file in *folder*.

    Raises DatabaseUrlError (never printing the password) for anything but SQLite, MySQL and MariaDB.
    """
    if not url:
        return _sqlite(folder / "shop.sqlite3")
    parts = urlsplit(url)
    dialect = parts.scheme.partition("+")[0]
    if dialect == "sqlite":
        return _sqlite(Path(unquote(parts.path).removeprefix("/")))
    if dialect in ("mysql", "mariadb"):
        return _mysql(
            name=unquote(parts.path.strip("/")) or DEFAULT_DATABASE,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
        )
    raise DatabaseUrlError(
        f"DATABASE_URL starts with {parts.scheme!r}; the shop takes "
        "mysql+pymysql://user:password@host:3306/database or sqlite:///file.sqlite3"
    )


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": LOCK_WAIT_S,
            # A deferred transaction that reads first cannot wait for the lock when it comes to write:
            # it fails at once ("Transactions", SQLite manual), and a checkout does just that.
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _mysql(*, name: str, user: str, password: str, host: str, port: int) -> dict[str, Any]:
    import pymysql

    pymysql.install_as_MySQLdb()
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "USER": user,
        "PASSWORD": password,
        "HOST": host,
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "charset": "utf8mb4",
            "connect_timeout": 5,
            "read_timeout": 30,  # PyMySQL waits for ever otherwise
            "init_command": f"SET SESSION innodb_lock_wait_timeout={LOCK_WAIT_S}",
        },
    }
