"""The workflow, trace and span in which a log record was made, taken along by the record itself.

Not among the record's own attributes (`__dict__`): formatters that write whatever they find there go on writing what
they wrote. `e2edebug.logs` puts them there for those who ask.
"""

import logging
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from e2edebug_instrumentation.correlation.current import current_correlation_id


class Ids(NamedTuple):
    """As they are stored; '' outside of any workflow."""

    correlation_id: str
    trace_id: str
    span_id: str


def ids_in(context: Context | None = None) -> Ids:
    """Return the ids of *context*, by default of the code that runs."""
    ids = trace.get_current_span(context).get_span_context()
    correlation_id = current_correlation_id(context) or ""
    if not ids.is_valid:
        return Ids(correlation_id, "", "")
    return Ids(correlation_id, format(ids.trace_id, "032x"), format(ids.span_id, "016x"))


class RecordWithIds(logging.LogRecord):
    """A record that knows where it was made, also when another thread writes it."""

    __slots__ = ("_e2edebug_context",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._e2edebug_context = otel_context.get_current()

    @property
    def e2edebug_ids(self) -> Ids:
        """The ids, looked up when somebody wants them: most records are written without."""
        return ids_in(self._e2edebug_context)

    def __reduce__(self) -> Any:
        """Another process, which may not have e2edebug, gets a plain record."""
        return (logging.makeLogRecord, (self.__dict__,))

    def __copy__(self) -> "RecordWithIds":
        twin = RecordWithIds.__new__(RecordWithIds)
        twin.__dict__.update(self.__dict__)
        twin._e2edebug_context = self._e2edebug_context
        return twin
