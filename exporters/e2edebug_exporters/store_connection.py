"""One engine per process for whoever writes: made when first needed, never shared with a forked child."""

import os
from collections.abc import Callable

from sqlalchemy import URL, Engine
from sqlalchemy.pool import Pool

from e2edebug.policy.config import Config
from e2edebug_exporters.process_lifecycle import importing
from e2edebug_schema.engine import STORE_ENGINE_OPTION, create_store_engine

_inherited_pools: list[Pool] = []
"""Pools of parent processes. Kept for good: collecting one would close the parent's SQLite connection in the child,
whose checkpoint and file locks belong to the parent."""


class StoreConnection:
    """Gives the engine of this process. Nothing is connected and no driver imported before it is asked for."""

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._pid = os.getpid()

    @classmethod
    def of(cls, store: Engine | URL | str, config: Config) -> "StoreConnection":
        """Return the connection to *store* with the timeouts of *config*.

        An engine that `create_store_engine` did not make serves as an address only: ours needs a row count without
        FOUND_ROWS, timeouts and no instrumentation. The exception is SQLite in memory, which is nowhere else.
        """
        if isinstance(store, Engine):
            given = store
            is_ours = given.get_execution_options().get(STORE_ENGINE_OPTION, False)
            if is_ours or (given.dialect.name == "sqlite" and given.url.database in (None, "", ":memory:")):
                return cls(lambda: given)
        url = store.url if isinstance(store, Engine) else store
        return cls(
            lambda: create_store_engine(
                url,
                connect_timeout_s=config.connect_timeout_s,
                read_timeout_s=config.read_timeout_s,
                write_timeout_s=config.write_timeout_s,
            )
        )

    def engine(self) -> Engine:
        """Return this process's engine. Raises StoreUrlError for a URL that cannot be used."""
        if self._pid != os.getpid():
            self.after_fork_in_child()
        if self._engine is None:
            with importing():  # the dialect and the driver
                self._engine = self._make_engine()
        return self._engine

    @property
    def is_server(self) -> bool:
        """Whether an engine was made, and leads to a server."""
        return self._engine is not None and self._engine.dialect.name != "sqlite"

    def after_fork_in_child(self) -> None:
        """Leave the parent's sockets to the parent (SQLAlchemy, "Using Connection Pools with os.fork()")."""
        self._pid = os.getpid()
        if self._engine is not None:
            _inherited_pools.append(self._engine.pool)
            self._engine.dispose(close=False)
            self._engine = None

    def leave_file(self) -> None:
        """Close a SQLite file before a fork: a connection must not be carried into the child, where it cannot be closed."""
        if self._engine is not None and self._engine.dialect.name == "sqlite" and self._engine.url.database:
            self._engine.dispose()

    def close(self) -> None:
        """Close the connections of this process; the next use opens others."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
