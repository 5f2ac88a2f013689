"""Traces the queries and transactions of Django's database connections, with any backend.

Queries by an execute wrapper, Django's documented hook: it costs a third of a wrapped driver (performance reference,
section 3) and sees each connection alias. Transactions and connecting do not pass through it; those methods of
BaseDatabaseWrapper are wrapped.
"""

import gc
import sys
import weakref
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import suppress_instrumentation, unwrap

from e2edebug.policy.own_statements import STORE_ALIAS, is_own_statement
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.database.async_handover import stop_handing_over, watch_handover
from e2edebug_instrumentation.database.database_target import DatabaseTarget, database_target
from e2edebug_instrumentation.database.options import make_recorder
from e2edebug_instrumentation.database.query_span import QueryRecorder, is_executing, record_error

_BACKEND_MODULE: Final = "django.db.backends.base.base"
_TARGET: Final = "_e2edebug_target"
_FOREIGN_PROXY: Final = "opentelemetry.instrumentation.dbapi"
_ERRORS: Final = (
    "DataError", "OperationalError", "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError",
    "DatabaseError", "InterfaceError", "Error",
)  # fmt: skip
"""In the order in which django.db.utils.DatabaseErrorWrapper asks for them."""
_SYSTEMS: Final = {"oracle": "oracle.db", "microsoft": "microsoft.sql_server"}


# OpenTelemetry tells type checkers to ignore the whole module of BaseInstrumentor.
class DjangoDatabaseInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Makes a span of every query, transaction command and connection of Django's; a singleton, undone by uninstrument().

    May be called anywhere in a program's start, before or after Django is imported; without Django it does nothing.
    instrument() takes `config` (a policy Config), `capture_code_location`, `value_max_bytes`, `tracer_provider`.
    """

    _tracing: "_ConnectionTracing | None" = None
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without Django the instrumentor waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        module = sys.modules.get(_BACKEND_MODULE)
        self._tracing = _ConnectionTracing(make_recorder(kwargs), has_connections=module is not None)
        if DjangoDatabaseInstrumentor._is_hooked:
            if module is not None:
                self._tracing.start(module)
        else:
            # A hook for an import cannot be taken back: there is one per process, and it asks for the present tracing.
            DjangoDatabaseInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_backends_are_imported, _BACKEND_MODULE)

    def _uninstrument(self, **_: Any) -> None:
        if self._tracing is not None:
            self._tracing.stop()
            self._tracing = None

    def _when_backends_are_imported(self, module: ModuleType) -> None:
        if self._tracing is not None:
            self._tracing.start(module)


class _ConnectionTracing:
    """One period between instrument() and uninstrument(); itself the execute wrapper."""

    def __init__(self, recorder: QueryRecorder, *, has_connections: bool) -> None:
        self._recorder = recorder
        self._has_connections = has_connections
        """Django may have made connections before; looking for them takes 30 ms in a large process."""
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self._backend_class: Any = None

    def start(self, module: ModuleType) -> None:
        from django.db.backends.signals import connection_created
        from django.db.backends.utils import CursorWrapper

        self._backend_class = module.BaseDatabaseWrapper
        wrapt.wrap_function_wrapper(CursorWrapper, "callproc", self._call_procedure)
        for method, wrapper in self._wrappers().items():
            wrapt.wrap_function_wrapper(self._backend_class, method, wrapper)
        # connect() may be overridden by a backend that pools; the signal comes all the same.
        connection_created.connect(self._when_connected, weak=False, dispatch_uid="e2edebug")
        watch_handover()
        for connection in _existing(self._backend_class) if self._has_connections else ():
            self._watch(connection)

    def stop(self) -> None:
        self._recorder.is_active = False
        if self._backend_class is None:
            return
        from django.db.backends.signals import connection_created
        from django.db.backends.utils import CursorWrapper

        unwrap(CursorWrapper, "callproc")
        connection_created.disconnect(dispatch_uid="e2edebug")
        stop_handing_over()
        for method in self._wrappers():
            unwrap(self._backend_class, method)
        for connection in list(self._watched):
            connection.__dict__.pop(_TARGET, None)
            if self in connection.execute_wrappers:
                connection.execute_wrappers.remove(self)

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Execute a query of Django's; the signature is that of its execute wrappers."""
        connection = context["connection"]
        target = connection.__dict__.get(_TARGET) or _target_of(connection)
        # What the spans of a statement say is known of those alone that are not our own.
        is_known = type(sql) is str and sql in target.statements
        if connection.alias == STORE_ALIAS or (not is_known and is_own_statement(sql)):
            with suppress_instrumentation():
                return execute(sql, params, many, context)
        query = self._recorder.begin_query(target, sql, params if many else None)
        if query is None:
            return execute(sql, params, many, context)
        try:
            # Another instrumentation of OpenTelemetry's may have wrapped the driver: it keeps silent when it is told so.
            if type(connection.connection).__module__ == _FOREIGN_PROXY:
                with suppress_instrumentation():
                    result = execute(sql, params, many, context)
            else:
                result = execute(sql, params, many, context)
        except BaseException as error:
            query.fail(error)
            raise
        query.succeed(getattr(context["cursor"].cursor, "rowcount", None))
        return result

    def _call_procedure(self, wrapped: Callable[..., Any], cursor: Any, args: Any, kwargs: Any) -> Any:
        # Does not pass through the execute wrappers.
        name = args[0] if args else kwargs.get("procname")
        query = self._recorder.begin_query(_target_of(cursor.db), f"CALL {name}")
        if query is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            query.fail(error)
            raise
        query.succeed(getattr(cursor.cursor, "rowcount", None))
        return result

    def _wrappers(self) -> dict[str, Callable[..., Any]]:
        return {
            "connect": self._connect,
            "set_autocommit": self._set_autocommit,
            "commit": self._commit,
            "rollback": self._rollback,
            "run_and_clear_commit_hooks": self._run_commit_hooks,
        }

    def _connect(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        connection.__dict__.pop(_TARGET, None)  # a test runner has changed the database's name since
        result = self._traced("CONNECT", wrapped, connection, args, kwargs)
        self._watch(connection)
        return result

    def _set_autocommit(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        autocommit = args[0] if args else kwargs.get("autocommit", True)
        if autocommit or is_executing():
            return wrapped(*args, **kwargs)
        if connection.connection is None and not connection.in_atomic_block:
            connection.ensure_connection()  # as set_autocommit() does first, but not inside of the span of BEGIN
        return self._traced("BEGIN", wrapped, connection, args, kwargs)

    def _commit(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        if connection.connection is None:
            return wrapped(*args, **kwargs)
        return self._traced("COMMIT", wrapped, connection, args, kwargs)

    def _rollback(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        if connection.connection is None:
            return wrapped(*args, **kwargs)
        return self._traced("ROLLBACK", wrapped, connection, args, kwargs)

    def _traced(self, operation: str, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        if connection.alias == STORE_ALIAS:
            with suppress_instrumentation():
                return wrapped(*args, **kwargs)
        command = self._recorder.begin_command(_target_of(connection), operation)
        if command is None:
            return wrapped(*args, **kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            command.fail(error, raised_as=_as_django_raises_it(connection, error))
            raise
        command.succeed()
        return result

    def _run_commit_hooks(self, wrapped: Callable[..., Any], connection: Any, args: Any, kwargs: Any) -> Any:
        hooks = connection.run_on_commit
        if not hooks:
            return wrapped(*args, **kwargs)
        span = self._recorder.begin_on_commit(_target_of(connection), [hook[1] for hook in hooks])
        if span is None:
            return wrapped(*args, **kwargs)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                return wrapped(*args, **kwargs)
            except BaseException as error:
                record_error(span, error)
                raise

    def _when_connected(self, connection: Any, **_: Any) -> None:
        self._watch(connection)

    def _watch(self, connection: Any) -> None:
        try:
            # At the front: `with connection.execute_wrapper(...)` takes the last one out when it ends, and a connection
            # may be made inside of it.
            if self not in connection.execute_wrappers:
                connection.execute_wrappers.insert(0, self)
            self._watched.add(connection)
        except Exception as error:  # noqa: BLE001 - the application's connection works without us
            internal_error("watch a database connection", error)


def _as_django_raises_it(connection: Any, error: BaseException) -> BaseException | None:
    """Return Django's exception for an error of the driver: connect() itself raises the latter, its callers the former."""
    from django.db import utils

    for name in _ERRORS:
        if isinstance(error, getattr(connection.Database, name, ())):
            return getattr(utils, name)(*error.args)  # type: ignore[no-any-return] # one of the exception classes
    return None


def _existing(backend_class: type) -> list[Any]:
    """Return the connections that were made before, those of other threads included."""
    # Not through django.db.connections: that holds this thread's only, and reads the settings to find them.
    # type() and not isinstance(): the latter asks lazy objects for their __class__, and so evaluates them.
    return [found for found in gc.get_objects() if issubclass(type(found), backend_class)]


def _target_of(connection: Any) -> DatabaseTarget:
    target: DatabaseTarget | None = connection.__dict__.get(_TARGET)
    if target is None:
        target = _make_target(connection)
        if connection.connection is not None or connection.vendor != "mysql":  # MariaDB is told from MySQL by asking it
            connection.__dict__[_TARGET] = target
    return target


def _make_target(connection: Any) -> DatabaseTarget:
    vendor = str(connection.vendor)
    # Django's cached property; reading it when it is not yet cached would send a query.
    data = connection.__dict__.get("mysql_server_data") or {}
    if vendor == "mysql" and "mariadb" in str(data.get("version", "")).lower():
        vendor = "mariadb"
    settings = connection.settings_dict
    return database_target(
        system=_SYSTEMS.get(vendor, vendor),
        name=str(connection.alias),
        namespace=settings.get("NAME"),
        address=settings.get("HOST") or ("localhost" if vendor in ("mysql", "mariadb", "postgresql") else None),
        port=settings.get("PORT") or None,
    )
