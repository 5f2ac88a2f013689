"""Traced connections of drivers in C (sqlite3, psycopg, psycopg2), whose functions take nothing but their own types.

So the connection is one of theirs, and its cursors are of a subclass of their class.
"""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from e2edebug_instrumentation.database.database_target import DatabaseTarget, database_target
from e2edebug_instrumentation.database.driver_integration import TracedIntegration

_EXECUTING_METHODS: Final = ("execute", "executemany", "executescript", "callproc")
_INTEGRATION: Final = "_e2edebug_integration"
_POSITION_OF_FACTORY: Final = 5
"""Of sqlite3.connect()'s arguments."""


class PsycopgIntegration(TracedIntegration):
    """For psycopg and psycopg2: a connection makes its cursors from its `cursor_factory`."""

    def connect(self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
        """Return the driver's connection with traced cursors. Its commits are not visible."""
        connection = connect_method(*args, **kwargs)
        self.target = self.target_of(getattr(connection, "info", connection))
        base = connection.cursor_factory
        if base is None:  # psycopg2 means its own default
            base = self.connect_module.extensions.cursor  # type: ignore[union-attr] # the driver's module
        connection.cursor_factory = _traced_cursor_class(base, lambda _cursor: self)
        return connection


class SQLiteIntegration(TracedIntegration):
    """For sqlite3: the connection's class comes in by `factory`."""

    def wrapped_connection(
        self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]
    ) -> Any:
        """Return a new connection; a plain one for aiosqlite."""
        # It works on a thread of its own, to which no context is handed: its queries would be roots of their own, and
        # SQLAlchemy, which sees them where they belong, could not tell us to keep silent.
        if _is_called_by("aiosqlite"):
            return connect_method(*args, **kwargs)
        return super().wrapped_connection(connect_method, args, kwargs)

    def target_from(self, args: tuple[Any, ...], kwargs: dict[Any, Any]) -> DatabaseTarget:
        """Return the database of a file name."""
        return database_target(system="sqlite", namespace=args[0] if args else kwargs.get("database"))

    def connect(self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
        """Return a connection of a subclass of the class that the application asked for."""
        if len(args) > _POSITION_OF_FACTORY:
            before, base, behind = args[:_POSITION_OF_FACTORY], args[_POSITION_OF_FACTORY], args[6:]
            args = (*before, _traced_connection_class(base), *behind)
        else:
            base = kwargs.get("factory") or self.connect_module.Connection  # type: ignore[union-attr] # as above
            kwargs = {**kwargs, "factory": _traced_connection_class(base)}
        connection = connect_method(*args, **kwargs)
        if hasattr(connection, "__dict__"):
            connection.__dict__[_INTEGRATION] = self
        return connection


def _is_called_by(package: str) -> bool:
    frame = sys._getframe(2)
    for _ in range(8):
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == package:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


@cache
def _traced_connection_class(base: Any) -> Any:
    if not isinstance(base, type):
        return base  # a function that makes connections: what it makes is its own affair
    traced_class: Any

    def cursor(self: Any, factory: Any = None) -> Any:
        plain = super(traced_class, self).cursor
        if factory is None:
            import sqlite3

            factory = sqlite3.Cursor
        return plain(_traced_sqlite_cursor(factory) if isinstance(factory, type) else factory)

    def command(operation: str, name: str) -> Callable[..., Any]:
        def run(self: Any) -> Any:
            method = getattr(super(traced_class, self), name)
            integration = self.__dict__.get(_INTEGRATION)
            if integration is None or not self.in_transaction:
                return method()
            return integration.run_command(operation, method)

        return run

    def leave(self: Any, error_type: Any, error: Any, stack: Any) -> Any:
        method = super(traced_class, self).__exit__
        integration = self.__dict__.get(_INTEGRATION)
        if integration is None or not self.in_transaction:
            return method(error_type, error, stack)
        return integration.run_command("ROLLBACK" if error_type else "COMMIT", method, error_type, error, stack)

    def shortcut(name: str) -> Callable[..., Any]:
        # What the C code does (sqlite3 manual, "Connection shortcut methods"), but by way of our cursor().
        def execute(self: Any, *args: Any) -> Any:
            return getattr(self.cursor(), name)(*args)

        return execute

    members = {
        "cursor": cursor,
        "execute": shortcut("execute"),
        "executemany": shortcut("executemany"),
        "executescript": shortcut("executescript"),
        "commit": command("COMMIT", "commit"),
        "rollback": command("ROLLBACK", "rollback"),
        "__exit__": leave,
        "__module__": base.__module__,
    }
    traced_class = type(base.__name__, (base,), members)
    return traced_class


@cache
def _traced_sqlite_cursor(base: type) -> type:
    return _traced_cursor_class(base, lambda cursor: cursor.connection.__dict__.get(_INTEGRATION))


def _traced_cursor_class(base: type, integration_of: Callable[[Any], TracedIntegration | None]) -> type:
    traced_class: Any

    def traced(name: str) -> Callable[..., Any]:
        def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
            method = getattr(super(traced_class, self), name)
            integration = integration_of(self)
            if integration is None:
                return method(*args, **kwargs)
            return integration.execute(self, method, *args, **kwargs)

        return execute

    members: dict[str, Any] = {name: traced(name) for name in _EXECUTING_METHODS if hasattr(base, name)}
    traced_class = type(base.__name__, (base,), {**members, "__module__": base.__module__})
    return traced_class  # type: ignore[no-any-return] # Any, because super() must not look into it
