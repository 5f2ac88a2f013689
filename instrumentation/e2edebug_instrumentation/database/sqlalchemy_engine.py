"""Traces the queries and transactions of SQLAlchemy's engines, those that exist already included.

Statements by events on the class Engine. Those for commit and rollback come before the fact and say nothing of how long
it took, and `do_connect` would take precedence over the application's own listeners: these methods are wrapped instead.
"""

import sys
import weakref
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.database.database_target import DatabaseTarget, database_target
from e2edebug_instrumentation.database.options import make_recorder
from e2edebug_instrumentation.database.query_span import QueryRecorder, QuerySpan

_ENGINE_MODULE: Final = "sqlalchemy.engine"
_OPEN_QUERY: Final = "_e2edebug_query"
_OWN_STORE: Final = "e2edebug_store"
"""Execution option of the engine on e2edebug's own store."""
_SILENT_ERRORS: Final = "skip_user_error_events"
"""With this option SQLAlchemy does not say when a statement fails, so its span would never end."""
_EXECUTING_METHODS: Final = ("_exec_single_context", "_exec_insertmany_context")
"""Methods of Connection around the events of one execution: private names, the same in SQLAlchemy 2.0 and 2.1."""
_TRANSACTION_METHODS: Final = {"_begin_impl": "BEGIN", "_commit_impl": "COMMIT", "_rollback_impl": "ROLLBACK"}


# OpenTelemetry tells type checkers to ignore the whole module of BaseInstrumentor.
class SQLAlchemyEngineInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Makes a span of every statement, transaction command and connection; a singleton, undone by uninstrument().

    Async engines are covered: each executes through a synchronous one. SQLAlchemy 2.0 and 2.1.
    instrument() takes `config` (a policy Config), `capture_code_location`, `value_max_bytes`, `tracer_provider`.
    """

    _tracing: "_EngineTracing | None" = None
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without SQLAlchemy the instrumentor waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracing = _EngineTracing(make_recorder(kwargs))
        if SQLAlchemyEngineInstrumentor._is_hooked:
            self._tracing.start_if_imported()
        else:
            # A hook for an import cannot be taken back: there is one per process, and it asks for the present tracing.
            SQLAlchemyEngineInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_engine_is_imported, _ENGINE_MODULE)

    def _uninstrument(self, **_: Any) -> None:
        if self._tracing is not None:
            self._tracing.stop()
            self._tracing = None

    def _when_engine_is_imported(self, _module: ModuleType) -> None:
        if self._tracing is not None:
            self._tracing.start()


class _EngineTracing:
    """One period between instrument() and uninstrument()."""

    def __init__(self, recorder: QueryRecorder) -> None:
        self._recorder = recorder
        self._targets: weakref.WeakKeyDictionary[Any, DatabaseTarget] = weakref.WeakKeyDictionary()
        self._is_listening = False

    def start_if_imported(self) -> None:
        if _ENGINE_MODULE in sys.modules:
            self.start()

    def start(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Connection, Engine
        from sqlalchemy.engine.default import DefaultDialect

        for name, listener in self._listeners().items():
            event.listen(Engine, name, listener)
        wrapt.wrap_function_wrapper(DefaultDialect, "connect", self._connect)
        for method, operation in _TRANSACTION_METHODS.items():
            if hasattr(Connection, method):
                wrapt.wrap_function_wrapper(Connection, method, self._transaction_wrapper(operation))
        for method in _EXECUTING_METHODS:
            if hasattr(Connection, method):
                wrapt.wrap_function_wrapper(Connection, method, _close_what_is_left_open)
        self._is_listening = True

    def stop(self) -> None:
        self._recorder.is_active = False
        if not self._is_listening:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Connection, Engine
        from sqlalchemy.engine.default import DefaultDialect

        for name, listener in self._listeners().items():
            event.remove(Engine, name, listener)
        unwrap(DefaultDialect, "connect")
        for method in (*_TRANSACTION_METHODS, *_EXECUTING_METHODS):
            unwrap(Connection, method)

    def _listeners(self) -> dict[str, Callable[..., Any]]:
        return {
            "before_cursor_execute": self._before_execute,
            "after_cursor_execute": self._after_execute,
            "handle_error": self._when_failed,
        }

    def _before_execute(
        self, conn: Any, _cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        options = conn.get_execution_options()
        if _OWN_STORE in options or _SILENT_ERRORS in options or context is None:
            return
        query = self._recorder.begin_query(self._target_of(conn.engine), statement, parameters if executemany else None)
        context.__dict__[_OPEN_QUERY] = query

    def _after_execute(
        self, _conn: Any, cursor: Any, _statement: str, _parameters: Any, context: Any, _executemany: bool
    ) -> None:
        query = _take_open_query(context)
        if query is not None:
            query.succeed(getattr(cursor, "rowcount", None))

    def _when_failed(self, failure: Any) -> None:
        query = _take_open_query(failure.execution_context)
        if query is not None:
            query.fail(failure.original_exception, raised_as=failure.sqlalchemy_exception)

    def _connect(self, wrapped: Callable[..., Any], dialect: Any, args: Any, kwargs: Any) -> Any:
        command = self._recorder.begin_command(_target_from(dialect, kwargs), "CONNECT")
        if command is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            command.fail(error)
            raise
        command.succeed()
        return result

    def _transaction_wrapper(self, operation: str) -> Callable[..., Any]:
        def run(wrapped: Callable[..., Any], conn: Any, args: Any, kwargs: Any) -> Any:
            if _OWN_STORE in conn.get_execution_options() or _commits_by_itself(conn):
                return wrapped(*args, **kwargs)
            command = self._recorder.begin_command(self._target_of(conn.engine), operation)
            if command is None:
                return wrapped(*args, **kwargs)
            try:
                result = wrapped(*args, **kwargs)
            except BaseException as error:
                command.fail(error)
                raise
            command.succeed()
            return result

        return run

    def _target_of(self, engine: Any) -> DatabaseTarget:
        target = self._targets.get(engine)
        if target is None:
            target = _target_of_engine(engine)
            if engine.dialect.server_version_info is not None or engine.dialect.name == "sqlite":
                self._targets[engine] = target  # before the first connection, MariaDB cannot be told from MySQL
        return target


def _close_what_is_left_open(wrapped: Callable[..., Any], _conn: Any, args: Any, kwargs: Any) -> Any:
    # SQLAlchemy 2.0 sends no handle_error when a listener of the application's raises before the execution. A span left
    # open there would make us take every later query of this context for a part of it.
    try:
        return wrapped(*args, **kwargs)
    except BaseException as error:
        query = _take_open_query(args[1] if len(args) > 1 else kwargs.get("context"))
        if query is not None:
            query.fail(error)
        raise


def _take_open_query(context: Any) -> QuerySpan | None:
    query: QuerySpan | None = context.__dict__.pop(_OPEN_QUERY, None) if context is not None else None
    return query


def _commits_by_itself(conn: Any) -> bool:
    """Whether the connection is in autocommit mode: SQLAlchemy then begins and commits in name only."""
    is_autocommit = getattr(conn, "_is_autocommit_isolation", None)
    try:
        return bool(is_autocommit is not None and is_autocommit())
    except Exception as error:  # noqa: BLE001 - a private method: without it, the spans are there and mean less
        internal_error("ask for the isolation level", error)
        return False


def _target_of_engine(engine: Any) -> DatabaseTarget:
    url = engine.url
    return database_target(system=_system(engine.dialect), namespace=url.database, address=url.host, port=url.port)


def _target_from(dialect: Any, arguments: dict[str, Any]) -> DatabaseTarget:
    return database_target(
        system=_system(dialect),
        namespace=arguments.get("database") or arguments.get("dbname") or arguments.get("db"),
        address=arguments.get("host"),
        port=arguments.get("port"),
    )


def _system(dialect: Any) -> str:
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else str(dialect.name)
    return {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}.get(name, name)
