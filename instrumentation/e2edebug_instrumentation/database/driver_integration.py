"""Connections of DB-API drivers whose queries, commits and rollbacks make spans.

Built on opentelemetry-instrumentation-dbapi, which knows how to wrap a driver's connect(). Its spans are replaced by
ours, the same for every route; its CursorTracer raises IndexError into the application for SQL without a word in it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.instrumentation.dbapi import (
    CursorTracer,
    DatabaseApiIntegration,
    TracedConnectionProxy,
    TracedCursorProxy,
)

from e2edebug_instrumentation.database.database_target import DatabaseTarget, database_target
from e2edebug_instrumentation.database.query_span import QueryRecorder, is_executing


class _Untraced:
    """For connections that Django or SQLAlchemy opens, whose queries we see already.

    An integration finds its tracer and meter first, which takes longer than SQLite takes to open a file.
    """

    def wrapped_connection(
        self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]
    ) -> Any:
        """Return the driver's own connection."""
        return connect_method(*args, **kwargs)


class TracedIntegration(DatabaseApiIntegration):
    """Opens one connection of a driver; a subclass says how the connection is traced."""

    recorder: QueryRecorder
    target: DatabaseTarget

    @classmethod
    def reporting_to(cls, recorder: QueryRecorder) -> Any:
        """Return what wrap_connect takes as `db_api_integration_factory`."""

        def make(*args: Any, **kwargs: Any) -> DatabaseApiIntegration | _Untraced:
            if is_executing() or not recorder.is_active:
                return _Untraced()
            integration = cls(*args, **kwargs)
            integration.recorder = recorder
            return integration

        return make

    def wrapped_connection(
        self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]
    ) -> Any:
        """Return a new, traced connection."""
        self.target = self.target_from(args, kwargs)
        command = self.recorder.begin_command(self.target, "CONNECT")
        try:
            connection = self.connect(connect_method, args, kwargs)
        except BaseException as error:
            if command is not None:
                command.fail(error)
            raise
        if command is not None:
            command.succeed()
        return connection

    def connect(self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
        """Return a traced connection."""
        raise NotImplementedError

    def target_from(self, _args: tuple[Any, ...], kwargs: dict[Any, Any]) -> DatabaseTarget:
        """Return what the arguments of connect() say of the database."""
        return database_target(
            system=self.database_system,
            namespace=kwargs.get("database") or kwargs.get("dbname") or kwargs.get("db"),
            address=kwargs.get("host"),
            port=kwargs.get("port"),
        )

    def target_of(self, connection: Any) -> DatabaseTarget:
        """Return what an open connection says of the database."""
        self.get_connection_attributes(connection)
        found, known = self.connection_props, self.target.attributes
        version = str(getattr(connection, "server_version", ""))
        return database_target(
            system="mariadb" if "mariadb" in version.lower() else self.database_system,
            namespace=found.get("database") or known.get("db.namespace"),
            address=found.get("host") or known.get("server.address"),
            port=found.get("port") or known.get("server.port"),
        )

    def run_command(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a connection's *method* within the span of what it does."""
        command = self.recorder.begin_command(self.target, operation)
        if command is None:
            return method(*args, **kwargs)
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            command.fail(error)
            raise
        command.succeed()
        return result

    def execute(self, cursor: Any, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a cursor's *method* within the span of the statement, its first argument."""
        name = method.__name__
        statement = args[0] if args else next(iter(kwargs.values()), "")
        query = self.recorder.begin_query(
            self.target,
            f"CALL {statement}" if name == "callproc" else statement,
            args[1] if name == "executemany" and len(args) > 1 else None,
        )
        if query is None:
            return method(*args, **kwargs)
        try:
            result = method(*args, **kwargs)
        except BaseException as error:
            query.fail(error)
            raise
        query.succeed(getattr(cursor, "rowcount", None))
        return result


class ProxyIntegration(TracedIntegration):
    """For drivers written in Python (PyMySQL, mysqlclient): nothing looks at the exact type of their objects."""

    def connect(self, connect_method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[Any, Any]) -> Any:
        """Return a proxy of the connection, which makes proxies of its cursors."""
        connection = connect_method(*args, **kwargs)
        self.target = self.target_of(connection)
        return _ConnectionProxy(connection, self)


class _ConnectionProxy(TracedConnectionProxy[Any]):
    _self_db_api_integration: Any

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        return _CursorProxy(self.__wrapped__.cursor(*args, **kwargs), self._self_db_api_integration)

    def begin(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_db_api_integration.run_command("BEGIN", self.__wrapped__.begin, *args, **kwargs)

    def commit(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_db_api_integration.run_command("COMMIT", self.__wrapped__.commit, *args, **kwargs)

    def rollback(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_db_api_integration.run_command("ROLLBACK", self.__wrapped__.rollback, *args, **kwargs)

    def __exit__(self, *args: Any) -> Any:
        return self.__wrapped__.__exit__(*args)


class _CursorProxy(TracedCursorProxy[Any]):
    def __init__(self, cursor: Any, integration: TracedIntegration) -> None:
        super().__init__(cursor, integration)
        self._self_cursor_tracer = _QueryTracer(integration)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__wrapped__)

    def __exit__(self, *args: Any) -> Any:
        return self.__wrapped__.__exit__(*args)


class _QueryTracer(CursorTracer[Any]):
    _db_api_integration: Any

    def traced_execution(self, cursor: Any, query_method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._db_api_integration.execute(cursor, query_method, *args, **kwargs)
