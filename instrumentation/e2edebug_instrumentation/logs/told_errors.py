"""Errors leave as OpenTelemetry log records with `exception.*`, once for each exception that surfaced.

Within a trace the exporter knows the copies of one exception by where it was raised. Outside of one nothing but the
exception object itself tells that it was told before. All of capture's use of the Logs API, which is not stable yet, is
in this module.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry._logs import Logger, SeverityNumber, get_logger
from opentelemetry._logs._internal import ProxyLogger

from e2edebug.policy import attributes as names
from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.plain_values import text_of
from e2edebug.policy.recorded_exceptions import is_recorded, is_recorded_anywhere, qualified_name
from e2edebug_instrumentation.correlation.current import current_correlation_id

WARNING: Final = 30
ERROR: Final = 40
CRITICAL: Final = 50
"""Python's levels."""

_AGAIN_S: Final = 10.0
"""Within this time an exception that surfaces again outside of any trace is the one that was told."""
_TOLD: Final = "_e2edebug_told_at"


def tell_error(
    logger_name: str,
    level: int,
    message: str,
    error: BaseException | None,
    *,
    time_unix_ns: int,
    attributes: Mapping[str, Any],
) -> None:
    """Send a severe log record, or an exception that nobody caught, on its way to the error logs.

    message: what was logged. attributes: what else is known, plain values.
    """
    span = trace.get_current_span()
    context = span.get_span_context()
    if error is not None and not context.is_valid and _was_told(error):
        return
    severity = severity_of(level)
    fields: dict[str, Any] = {**attributes, names.ERROR_SEVERITY: severity}
    correlation_id = current_correlation_id()
    if correlation_id is not None:
        fields[names.CORRELATION_ID] = correlation_id
    if error is not None:
        fields["exception.type"] = qualified_name(error)
        fields["exception.message"] = text_of(error)[:_LONGEST_MESSAGE]
        fields["exception.stacktrace"] = stack_text(error)
        if is_recorded(error, context.trace_id):
            fields = _place_of(span) | fields  # what the application says itself goes before it
        error.__dict__[_TOLD] = time.monotonic()
    _logger(logger_name).emit(
        timestamp=time_unix_ns,
        severity_number=_NUMBERS[severity],
        severity_text=severity.upper(),
        body=message,
        attributes=fields,
    )


def _place_of(span: trace.Span) -> dict[str, Any]:
    """Return the layer and component of *span*, which has recorded the same exception; empty where it does not say.

    Whichever of the two copies is stored first stays, and that may be this one: the span has not ended yet.
    """
    attributes = getattr(span, "attributes", None) or {}
    place = {name: attributes.get(name) for name in (names.LAYER, names.COMPONENT)}
    return place if all(place.values()) else {}


def _logger(name: str) -> Logger:
    """Return OpenTelemetry's logger of that name. Looking one up takes a lock and a hash of four parts each time."""
    found = _loggers.get(name)
    if found is None:
        found = get_logger(name)
        if not isinstance(found, ProxyLogger) and len(_loggers) < _MOST_LOGGERS:
            _loggers[name] = found
    return found


def severity_of(level: int) -> str:
    """Return the store's name for one of Python's levels."""
    if level >= CRITICAL:
        return "critical"
    if level >= ERROR:
        return "error"
    return "warning" if level >= WARNING else "info" if level >= 20 else "debug"


def _was_told(error: BaseException) -> bool:
    """Say whether *error* is an error already: of a step, whose trace has ended here, or told a moment ago."""
    told_at = error.__dict__.get(_TOLD)
    return is_recorded_anywhere(error) or (told_at is not None and time.monotonic() - told_at < _AGAIN_S)


_loggers: dict[str, Logger] = {}
_MOST_LOGGERS: Final = 1000
_LONGEST_MESSAGE: Final = 65_536
_NUMBERS: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
