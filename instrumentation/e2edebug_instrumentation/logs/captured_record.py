"""One record of the standard library's logging becomes an event of the current step, or an error."""

import logging
import sys
from typing import Any, Final

from opentelemetry import trace

from e2edebug.policy import attributes as names
from e2edebug.policy.plain_values import text_of
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.logs.told_errors import severity_of, tell_error

EVENT: Final = "log"
"""The name of the event."""
TEMPLATE: Final = "log.template"
"""The text before its arguments were put in: the same for each record of one line."""

_MEMBERS: Final = len(vars(logging.makeLogRecord({})))
"""Of a record without extras."""
_PLAIN: Final = (str, int, float, bool)
_STANDARD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "correlation_id", "trace_id", "span_id"}
)
# Django's own extras: the request is an object, and the server's time is in the record.
_LEFT_OUT: Final = frozenset({"request", "server_time"})
_MOST_EXTRAS: Final = 16
_LONGEST: Final = 2048
_LONGEST_EXTRA: Final = 256


def add_event(record: logging.LogRecord) -> None:
    """Note *record* on the step that runs, if one does."""
    span = trace.get_current_span()
    if span.is_recording():
        found = {
            "log.severity": severity_of(record.levelno),
            "log.message": _message(record),
            "log.logger": record.name,
            "code.location": f"{record.pathname}:{record.lineno}",
        }
        _add_extras(found, record)
        span.add_event(EVENT, found)


def tell_record(record: logging.LogRecord) -> None:
    """Make an error of *record*."""
    error = record.exc_info[1] if record.exc_info else None
    found: dict[str, Any] = {}
    if error is None:  # a stack would say where, and tell errors apart
        found["code.file.path"] = record.pathname
        found["code.line.number"] = record.lineno
        found["code.function.name"] = record.funcName or ""
        if isinstance(record.msg, str):
            found[TEMPLATE] = record.msg[:_LONGEST]
    _add_extras(found, record)
    _add_request(found, record)
    tell_error(
        record.name,
        record.levelno,
        _message(record),
        error,
        # As OpenTelemetry's own handler has it, so that a record which arrives by both is one.
        time_unix_ns=int(record.created * 1e9),
        attributes=found,
    )


def _add_extras(found: dict[str, Any], record: logging.LogRecord) -> None:
    """Add what was given as `extra`, as far as it is plain."""
    members = vars(record)
    if len(members) <= _MEMBERS:
        return
    extras = 0
    for name, value in members.items():
        if name not in _STANDARD and name not in _LEFT_OUT and isinstance(value, _PLAIN) and extras < _MOST_EXTRAS:
            extras += 1
            found[name] = value[:_LONGEST_EXTRA] if isinstance(value, str) else value


def _add_request(found: dict[str, Any], record: logging.LogRecord) -> None:
    """Add whose request it was, where the record brings one along, as those of `django.request` do.

    The request's own step says it too, at its end: by then the error may have been stored for a second.
    """
    request = vars(record).get("request")
    kind = getattr(sys.modules.get("django.http.request"), "HttpRequest", None)
    if kind is None or not isinstance(request, kind):
        return
    try:
        from e2edebug_instrumentation.django_requests.request_user import user_attributes, user_of_session

        found[names.REQUEST_PATH], found["http.request.method"] = request.path, request.method or ""
        user = user_attributes(request) or user_of_session(request)
        if names.USER_ID in user:
            found[names.USER_ID] = user[names.USER_ID]
    except Exception as error:  # noqa: BLE001 - user classes and session backends of the host
        internal_error("read the request of a log record", error)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()[:_LONGEST]
    except Exception:  # noqa: BLE001 - arguments that do not fit: logging itself says so on stderr
        return text_of(record.msg)[:_LONGEST]
