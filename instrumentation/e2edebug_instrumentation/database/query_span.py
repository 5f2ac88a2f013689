"""The span of a query: the same, whichever way the statement went to the database.

A route (Django, SQLAlchemy, a driver) asks a QueryRecorder to begin a span before it executes, and tells the span how
it ended. While one route executes, the routes below it stay silent: a query is one span, never two.
Attributes: OpenTelemetry semantic conventions 1.30+, "Database client spans", and `e2edebug.*`.
"""

from collections.abc import Iterable, Sized
from contextvars import ContextVar
from typing import Any, Final
from weakref import ref

from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import NoOpTracer, ProxyTracerProvider, Span, SpanKind, StatusCode, Tracer, TracerProvider

from e2edebug.policy.recorded_exceptions import qualified_name, remember_recorded
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.current_context import SUPPRESSING, current_context
from e2edebug_instrumentation.database.code_location import find_place
from e2edebug_instrumentation.database.database_target import DatabaseTarget
from e2edebug_instrumentation.database.query_error import message_of, stack_of

INSTRUMENTATION_SCOPE: Final = "e2edebug.database"
ON_COMMIT_HOOKS: Final = "e2edebug.db.on_commit_hooks"

_CLIENT: Final = SpanKind.CLIENT  # a member looked up on its enum class costs more than a global
_MOST_ROWS: Final = 2**63 - 1
"""Drivers report an unknown number of rows as -1, or as -1 in 64 unsigned bits (MySQLdb's SSCursor)."""


class QuerySpan:
    """A query under way. Exactly one of succeed() and fail() ends it; both keep silent about our own failures."""

    __slots__ = ("__weakref__", "_row_count_name", "_span")

    def __init__(self, span: Span, row_count_name: str) -> None:
        self._span = span
        self._row_count_name = row_count_name

    def succeed(self, row_count: object = None) -> None:
        """End the span. row_count: what the cursor says, -1 and None meaning unknown."""
        _executing.set(None)
        try:
            if isinstance(row_count, int) and 0 <= row_count <= _MOST_ROWS:
                self._span.set_attribute(self._row_count_name, row_count)
            self._span.end()
        except Exception as error:  # noqa: BLE001 - the application's query has succeeded
            internal_error("end the span of a query", error)

    def fail(self, error: BaseException, *, raised_as: BaseException | None = None) -> None:
        """End the span as failed; the caller raises the error again.

        raised_as: the exception that the application will see in place of the driver's *error*.
        """
        _executing.set(None)
        try:
            record_error(self._span, error, raised_as=raised_as)
            self._span.end()
        except Exception as own_error:  # noqa: BLE001 - the application must get its own error, not ours
            internal_error("end the span of a failed query", own_error)


class QueryRecorder:
    """Begins the spans of one instrumentor; `is_active` False makes it do nothing, for good or until set again."""

    def __init__(
        self,
        *,
        capture_code_location: bool = True,
        value_max_bytes: int = 65_536,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self.is_active = True
        self._captures_code_location = capture_code_location
        self._longest_statement = value_max_bytes
        self._tracer_provider = tracer_provider
        self._tracer: Tracer | None = None
        self._start_plain_span: Any = None
        self._is_traced = False

    def begin_query(self, target: DatabaseTarget, sql: object, parameters: object = None) -> QuerySpan | None:
        """Begin the span of a statement; None when there shall be none.

        sql: str, bytes or what psycopg composes. parameters: only of an executemany, to count them.
        """
        executing = _executing.get()
        if (executing is not None and executing() is not None) or not self.is_active:
            return None
        tracer = self._tracer if self._is_traced else self._find_tracer()
        context = current_context()
        if tracer is None:
            return None
        for key in SUPPRESSING:
            if context.get(key):
                return None
        # All of it in this one call: it is made for every query.
        try:
            known = target.statements.get(sql) if type(sql) is str and len(sql) <= self._longest_statement else None
            if known is None:
                text = sql if isinstance(sql, str) else _statement_text(sql)
                known = target.statement(sql, text, longest=self._longest_statement)
            found = known.attributes_at(find_place(2) if self._captures_code_location else None)
            if parameters is not None and isinstance(parameters, Sized):
                found = {**found, "db.operation.batch.size": len(parameters)}
            start = self._start_plain_span
            if start is None:
                start, found = tracer.start_span, dict(found)  # a sampler may change it
            query = QuerySpan(start(known.span_name, context, _CLIENT, found), known.row_count_name)
            _executing.set(ref(query))
            return query
        except Exception as error:  # noqa: BLE001 - the application's query goes on without a span
            _executing.set(None)
            internal_error("begin the span of a query", error)
            return None

    def begin_command(self, target: DatabaseTarget, operation: str) -> QuerySpan | None:
        """Begin the span of what is no statement to the driver: CONNECT, BEGIN, COMMIT, ROLLBACK."""
        if is_executing() or not self.is_active:
            return None
        tracer = self._tracer if self._is_traced else self._find_tracer()
        if tracer is None or not is_instrumentation_enabled():
            return None
        try:
            known = target.command(operation)
            found = known.attributes_at(find_place(2) if self._captures_code_location else None)
            start = self._start_plain_span
            if start is None:
                start, found = tracer.start_span, dict(found)  # a sampler may change it
            span = start(known.span_name, current_context(), _CLIENT, found)
        except Exception as error:  # noqa: BLE001 - the application's command goes on without a span
            internal_error("begin the span of a database command", error)
            return None
        query = QuerySpan(span, known.row_count_name)
        _executing.set(ref(query))
        return query

    def begin_on_commit(self, target: DatabaseTarget, hooks: Iterable[Any]) -> Span | None:
        """Begin the span under which a transaction's on-commit hooks run, with their names; None for none.

        The caller makes it current: what the hooks do are its children.
        """
        if not self.is_active or not is_instrumentation_enabled():
            return None
        tracer = self._tracer if self._is_traced else self._find_tracer()
        if tracer is None:
            return None
        try:
            known = target.command("ON COMMIT")
            found = known.attributes_at(find_place(2) if self._captures_code_location else None)
            found = {**found, ON_COMMIT_HOOKS: [_hook_name(hook) for hook in hooks]}
            return tracer.start_span(known.span_name, kind=SpanKind.INTERNAL, attributes=found)
        except Exception as error:  # noqa: BLE001 - the hooks run without a span
            internal_error("begin the span of on-commit hooks", error)
            return None

    def _find_tracer(self) -> Tracer | None:
        """Return the tracer once somebody has set up tracing; until then a query shall cost next to nothing."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        if isinstance(provider, ProxyTracerProvider):
            return None
        tracer = provider.get_tracer(INSTRUMENTATION_SCOPE)
        self._tracer = None if isinstance(tracer, NoOpTracer) else tracer
        # Of our own tracers; another takes longer and says the same.
        self._start_plain_span = getattr(self._tracer, "start_plain_span", None)
        self._is_traced = True
        return self._tracer


def is_executing() -> bool:
    """Whether a route above is in the middle of a query or of connecting, so that those below keep silent."""
    query = _executing.get()
    return query is not None and query() is not None


# A context variable of our own instead of a key in OpenTelemetry's context: 0.1 us against 3 us for attach and detach.
# It is set to None, not reset by token: SQLAlchemy's events may end a query in another context than they began it.
# It refers weakly to what the route holds: when a signal handler raises between two lines of a route, nobody ends the
# query, and the reference dies with the route's frame; a plain True would silence this context for good.
_executing: ContextVar["ref[QuerySpan] | None"] = ContextVar("e2edebug_executing_query", default=None)


def record_error(span: Span, error: BaseException, *, raised_as: BaseException | None = None) -> None:
    """Make *span* a failed one, with the exception as an event, its message and stack without the values of rows."""
    shown = raised_as or error
    error_type = qualified_name(shown)
    message = message_of(shown, error_type)
    code = _status_code(error)
    if code:
        span.set_attribute("db.response.status_code", code)
    span.set_attribute("error.type", error_type)
    if isinstance(error, Exception):  # CancelledError, SystemExit and their like interrupt; they are no faults
        span.add_event(
            "exception",
            {
                "exception.type": error_type,
                "exception.message": message,
                "exception.stacktrace": stack_of(error, raised_as=raised_as),
                "exception.escaped": "False",
            },
        )
        remember_recorded(shown, span.get_span_context().trace_id)
    span.set_status(StatusCode.ERROR, f"{type(shown).__name__}: {message}" if message else type(shown).__name__)


def _status_code(error: BaseException) -> str:
    """Return what the server calls the error: MySQL's number, PostgreSQL's SQLSTATE, SQLite's name; '' for none."""
    for candidate in (error, error.__cause__, getattr(error, "orig", None)):
        if candidate is None:
            continue
        arguments = candidate.args
        if arguments and isinstance(arguments[0], int) and not isinstance(arguments[0], bool) and arguments[0]:
            return str(arguments[0])
        for name in ("sqlstate", "pgcode", "sqlite_errorname"):
            code = getattr(candidate, name, None)
            if isinstance(code, str) and code:
                return code
    return ""


def _statement_text(sql: object) -> str:
    if isinstance(sql, (bytes, bytearray)):
        return sql.decode("utf-8", "replace")
    if hasattr(sql, "as_string"):  # psycopg.sql.Composable; psycopg2's insists on a connection that we do not have
        try:
            return str(sql.as_string(None))
        except TypeError:
            return _composed_text(sql)
    if hasattr(sql, "interpolations"):  # string.templatelib.Template, Python 3.14
        return "?".join(sql.strings)  # type: ignore[attr-defined] # a Template has both, and older stubs have none
    return str(sql)


def _composed_text(sql: object) -> str:
    parts = getattr(sql, "seq", None)
    if parts is not None:
        return "".join(_composed_text(part) for part in parts)
    strings = getattr(sql, "strings", None)  # of an Identifier
    if strings is not None:
        return ".".join(f'"{name}"' for name in strings)
    text = getattr(sql, "string", None)  # of an SQL; a Literal or Placeholder has none
    return text if isinstance(text, str) else "%s"


def _hook_name(hook: Any) -> str:
    function = getattr(hook, "func", hook)  # functools.partial
    return str(getattr(function, "__qualname__", type(function).__qualname__))
