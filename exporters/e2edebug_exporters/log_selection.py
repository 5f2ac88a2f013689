"""Which log records are worth handing over: those that tell of an error, and not of our own writing."""

from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord

from e2edebug.policy.attributes import ERROR_SEVERITY
from e2edebug_exporters.span_reading import plain_mapping

_WRITING: Final = frozenset({"e2edebug", "sqlalchemy", "pymysql", "MySQLdb", "alembic"})
_ERROR_LEVEL: Final = 17
"""OpenTelemetry's number of ERROR."""
_TOLD: Final = ("exception.type", "exception.message", "exception.stacktrace", ERROR_SEVERITY)


def tells_of_error(record: ReadableLogRecord | ReadWriteLogRecord) -> bool:
    """Say whether *record* may become an error: the store keeps errors, not logs.

    What the libraries log that take part in writing is left out, or the store's failure would be written to the store,
    for ever. A log record's scope is its logger's name; what the application tells through ErrorLogger has our name and
    a severity of its own.
    """
    attributes = plain_mapping(record.log_record.attributes)
    severity = record.log_record.severity_number
    is_severe = severity is not None and severity.value >= _ERROR_LEVEL
    if not is_severe and not any(name in attributes for name in _TOLD) and record.log_record.exception is None:
        return False
    scope = record.instrumentation_scope
    is_of_writing = scope is not None and scope.name.partition(".")[0] in _WRITING
    return not is_of_writing or ERROR_SEVERITY in attributes
