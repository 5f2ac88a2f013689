"""SQLAlchemy on the connection that Django has: for the store's queries, and for writing what must be answered for.

The connection stays Django's. Nothing here begins, commits or rolls back: Django's `atomic` does, so that a test that
rolls its database back takes our rows along, and a request sees its own. (Letting SQLAlchemy have the connection ended
the surrounding atomic block: design page, section 3.)
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from django.db import connections, transaction
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import DATETIME
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import NullPool

from e2edebug.django.store_alias import alias_of_store
from e2edebug.runtime.lifecycle import config_in_force
from e2edebug_schema.engine import STORE_ENGINE_OPTION
from e2edebug_schema.read_limits import READ_ONLY_OPTION, limit_reads
from e2edebug_schema.sqlite_session import BUCKET_FUNCTION, bucket_of_duration
from e2edebug_schema.store_errors import StoreUnavailable


@contextmanager
def store_for_reading() -> Iterator[sa.Connection]:
    """Yield a connection for the queries of e2edebug_schema.queries, on what Django has open in this thread."""
    with suppress_instrumentation(), engine_on(_alias()).connect() as connection:
        yield connection.execution_options(**{READ_ONLY_OPTION: True})


@contextmanager
def store_for_writing() -> Iterator[sa.Connection]:
    """Yield a connection within one transaction of Django's: committed at the end of the block, unless it raises."""
    alias = _alias()
    with suppress_instrumentation(), transaction.atomic(using=alias), engine_on(alias).connect() as connection:
        yield connection


def _alias() -> str:
    alias = alias_of_store()
    if alias is None:
        raise StoreUnavailable("the database of these tests cannot hold the tables of e2edebug")
    return alias


def engine_on(alias: str) -> sa.Engine:
    """Return an engine on what Django has open in this thread for *alias*; the caller sees to the transaction."""
    with _making:
        return _made_engine(alias, _url_of(alias))


_making: Final = threading.Lock()


@cache
def _made_engine(alias: str, url: str) -> sa.Engine:
    engine = sa.create_engine(
        url,
        creator=lambda: _Lent(alias),
        poolclass=NullPool,
        pool_reset_on_return=None,
        execution_options={STORE_ENGINE_OPTION: True},
    )
    limit_reads(engine, read_timeout_s=config_in_force().read_timeout_s)
    return engine


def _url_of(alias: str) -> str:
    """The dialect alone: how to connect is Django's business."""
    if connections[alias].vendor == "sqlite":
        return f"sqlite+{_SQLITE_DRIVER}://"
    driver = connections[alias].Database.__name__  # type: ignore[attr-defined]  # not in the stubs; PyMySQL may stand in for MySQLdb
    return "mysql+pymysql://" if driver == "pymysql" else "mysql+mysqldb://"


_PREPARED: Final = "_e2edebug_prepared"


class _Lent:
    """Django's connection of this thread as SQLAlchemy sees it: it may use it and not end anything on it."""

    def __init__(self, alias: str) -> None:
        wrapper = connections[alias]
        wrapper.ensure_connection()
        self._wrapper = wrapper
        self._raw: Any = wrapper.connection
        # Once: SQLite refuses while a statement is being executed, as one may be whose span ends and is written.
        if wrapper.vendor == "sqlite" and wrapper.__dict__.get(_PREPARED) is not self._raw:
            wrapper.__dict__[_PREPARED] = self._raw
            self._raw.create_function(BUCKET_FUNCTION, 1, bucket_of_duration, deterministic=True)

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        # Django marks a connection on which a statement failed within `atomic`: then nothing more may run on it.
        self._wrapper.validate_no_broken_transaction()
        return self._raw.cursor(*arguments, **named)

    def commit(self) -> None:
        """Django commits."""

    def rollback(self) -> None:
        """Django rolls back."""

    def close(self) -> None:
        """Django closes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _EitherDateTime(DATETIME):
    """Django's SQLite connections turn columns declared as DATETIME into datetimes before SQLAlchemy sees them."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        of_text = super().result_processor(dialect, coltype)
        assert of_text is not None

        def process(value: Any) -> Any:
            return value if isinstance(value, datetime) else of_text(value)

        return process


class DjangoSQLiteDialect(SQLiteDialect_pysqlite):
    """SQLite on a connection that Django has opened."""

    supports_statement_cache = True
    colspecs = SQLiteDialect_pysqlite.colspecs | {sa.DateTime: _EitherDateTime}

    def on_connect(self) -> None:  # type: ignore[override]  # SQLAlchemy takes None for "nothing to do"
        """Leave the connection as Django has set it up."""


_SQLITE_DRIVER: Final = "e2edebug_django"
registry.register(f"sqlite.{_SQLITE_DRIVER}", __name__, DjangoSQLiteDialect.__name__)
