"""Rows that attack whoever looks at them: hostile strings in every text column of every table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.table_metadata import metadata
from e2edebug_schema.tables import text_limits

PAYLOADS = (
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</pre></details></td><svg/onload=alert(1)>",
    "javascript:alert(1)//",
    '" autofocus onfocus=alert(1) style="position:fixed" x="',
    "</script><script>alert(1)</script><!--",
    "{{7*7}}{% debug %}<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>*{display:none}</style>\u202e\x1b[31m\u0000<b onclick=alert(1)>",
)

_UNIQUE = {"correlation_id", "trace_id", "span_id", "event_key", "fingerprint", "name", "metric_name"}
"""Columns of unique keys: a number in front makes each its own."""


def insert_hostile_rows(engine: sa.Engine) -> None:
    """Write a row per payload into every table, related by their ids as rows of an application are."""
    now = datetime.now(UTC).replace(microsecond=0)
    with engine.begin() as connection:
        for number, payload in enumerate(PAYLOADS):
            for table in metadata.tables.values():
                values = {
                    column.name: _value(column, payload, number, now - timedelta(minutes=number + 1))
                    for column in table.columns
                    if column.name != "id"
                }
                connection.execute(table.insert(), values | _meaningful(table.name, number))


def _meaningful(table: str, number: int) -> dict[str, Any]:
    """What must fit together for a page to show the rest: a step that has a parent, a histogram that can be read."""
    if table == "debugging_trace_step":
        return {"span_id": f"{number:016x}", "parent_span_id": None if number == 0 else f"{number - 1:016x}",
                "trace_id": _trace(0), "correlation_id": _correlation(0)}  # fmt: skip
    if table == "debugging_error_log":
        return {"span_id": f"{number:016x}", "trace_id": _trace(0), "correlation_id": _correlation(0)}
    if table == "debugging_workflow_session":
        return {"correlation_id": _correlation(number), "parent_correlation_id": _correlation(0) if number else None,
                "repeat_count": 9, "error_count": 3}  # fmt: skip
    if table == "debugging_performance_snapshot":
        return {"buckets": Histogram.of([1.0, 2.0]).encode(), "correlation_id": _correlation(0)}
    return {}


def _correlation(number: int) -> str:
    return f"{number}{PAYLOADS[number]}".encode("ascii", "ignore").decode()[:64]


def _trace(number: int) -> str:
    return f"{number}{PAYLOADS[number]}"[:32]


def _value(column: sa.Column[Any], payload: str, number: int, moment: datetime) -> Any:
    kind = column.type
    if isinstance(kind, sa.types.TypeDecorator):
        return moment
    if isinstance(kind, sa.String):
        text = f"{number}{payload}" if column.name in _UNIQUE or column.name.endswith("_key") else payload
        if type(kind).__name__ == "AsciiString":
            text = text.encode("ascii", "ignore").decode()
        limit = text_limits(column.table).get(column.name) if isinstance(column.table, sa.Table) else None
        return text[:limit]
    if isinstance(kind, sa.Boolean):
        return False
    return number + 1
