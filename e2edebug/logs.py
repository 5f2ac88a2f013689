"""The ids of the workflow in your own log lines: a filter, a JSON formatter, a `LOGGING`, a processor for structlog.

    LOGGING = e2edebug.logs.LOGGING

Nothing here is used unless you name it: e2edebug by itself leaves log files as they are.
"""

import json
import logging
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

from e2edebug_instrumentation.logs.record_ids import Ids, RecordWithIds, ids_in

MISSING: Final = "-"
"""What stands in a log line outside of any workflow."""


class WorkflowIds(logging.Filter):
    """Gives each record `correlation_id`, `trace_id` and `span_id`, to be used in a format. Filters nothing out.

    Where records are written by another thread (QueueHandler), the ids are those of where they were made.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids; an id that is there already stays."""
        for name, value in _ids_of(record)._asdict().items():
            record.__dict__.setdefault(name, value or MISSING)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, the ids, what was given as `extra`, and the exception.

    fields: names of the members, where yours are called otherwise: `{"timestamp": "@timestamp"}`. Ids that there are
    not are left out.
    """

    def __init__(self, *, fields: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._names = dict(fields or {})

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        found |= {name: value for name, value in _ids_of(record)._asdict().items() if value}
        found |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            found["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = record.stack_info
        renamed = {self._names.get(name, name): value for name, value in found.items()}
        return json.dumps(renamed, ensure_ascii=False, default=str)


def add_workflow_ids(
    logger: Any,  # noqa: ARG001 - structlog's signature
    method_name: str,  # noqa: ARG001 - likewise
    event_dict: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """A processor for structlog: `structlog.configure(processors=[e2edebug.logs.add_workflow_ids, ...])`."""
    for name, value in ids_in()._asdict().items():
        if value:
            event_dict.setdefault(name, value)
    return event_dict


def _ids_of(record: logging.LogRecord) -> Ids:
    return record.e2edebug_ids if isinstance(record, RecordWithIds) else ids_in()


_STANDARD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", *Ids._fields, "request", "server_time"}
)

LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"workflow_ids": {"()": "e2edebug.logs.WorkflowIds"}},
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)-7s [%(correlation_id)s %(span_id)s] %(name)s: %(message)s"},
        "json": {"()": "e2edebug.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["workflow_ids"], "formatter": "text"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
"""A complete LOGGING for Django, or for `logging.config.dictConfig`; copy it, or change `["handlers"]["console"]`."""
