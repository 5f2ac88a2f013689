"""Sees every record that a logger lets through, whatever handlers there are, and changes none of it.

No handler is added: one on the root logger would be removed by Django's LOGGING, would keep `basicConfig()` from doing
anything and the last resort from writing to stderr. `Logger.callHandlers` is passed once by each record that its
logger's level and filters let through.
"""

import functools
import logging
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.logs.captured_record import add_event, tell_record
from e2edebug_instrumentation.logs.record_ids import RecordWithIds

_OWN: Final = frozenset({"e2edebug", "e2edebug_exporters", "e2edebug_instrumentation", "opentelemetry", "sqlalchemy",
                         "pymysql", "MySQLdb", "alembic"})  # fmt: skip
"""What is logged by whoever takes part in storing: stored, it would be logged again."""
_REQUESTS: Final = frozenset({"django.request", "django.server", "django.security"})
"""What they say of a request, and mostly after its step has ended, the step says itself: how it was answered."""

_is_capturing: ContextVar[bool] = ContextVar("e2edebug_capturing_log", default=False)


class LoggingInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes events and errors of log records; a singleton, undone by uninstrument().

    instrument() takes `config` (a policy Config), `log_event_level` and `log_error_level`.
    """

    _is_active = False
    _original: Callable[..., Any] | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: logging is the standard library's."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        config = kwargs.get("config")
        self._event_level = _number(kwargs.get("log_event_level", getattr(config, "log_event_level", "WARNING")))
        self._error_level = _number(kwargs.get("log_error_level", getattr(config, "log_error_level", "ERROR")))
        self._is_active = True
        if self._original is None:
            self._original = logging.Logger.callHandlers
            self._ours = self._wrapped(self._original)
            logging.Logger.callHandlers = self._ours  # type: ignore[method-assign]
        if logging.getLogRecordFactory() is logging.LogRecord:
            logging.setLogRecordFactory(RecordWithIds)

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        # Where somebody else (Sentry) has wrapped it since, ours stays inside, and is not put around it a second time.
        if self._original is not None and logging.Logger.callHandlers is self._ours:
            logging.Logger.callHandlers = self._original  # type: ignore[method-assign]
            self._original = None
        if logging.getLogRecordFactory() is RecordWithIds:
            logging.setLogRecordFactory(logging.LogRecord)

    def _wrapped(self, original: Callable[..., Any]) -> Any:
        @functools.wraps(original)
        def callHandlers(logger: logging.Logger, record: logging.LogRecord) -> Any:  # noqa: N802 - logging's name
            if self._is_active and record.levelno >= self._event_level:
                self._capture(logger, record)
            return original(logger, record)

        return callHandlers

    def _capture(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        if _is_capturing.get() or record.name.partition(".")[0] in _OWN or not is_instrumentation_enabled():
            return
        token = _is_capturing.set(True)
        try:
            if record.exc_info and record.exc_info[1] is not None:
                is_severe = True
            elif _tells_of_request(record.name):
                return
            else:
                is_severe = record.levelno >= self._error_level
            if not is_severe:
                add_event(record)
            elif not _is_exported_already(logger):
                tell_record(record)
        except Exception as error:  # noqa: BLE001 - logging goes on
            internal_error("capture a log record", error)
        finally:
            _is_capturing.reset(token)


def _number(level: str) -> int:
    """Return Python's number of a level; OFF is above all of them."""
    return logging.getLevelNamesMapping().get(level, 1000)


def _tells_of_request(name: str) -> bool:
    return name in _REQUESTS or name.startswith("django.security.")


def _is_exported_already(logger: logging.Logger) -> bool:
    """Say whether a handler of OpenTelemetry's will hand the record over: then it is not told a second time."""
    at: logging.Logger | None = logger
    while at is not None:
        if any(type(handler).__module__.startswith("opentelemetry.") for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False
