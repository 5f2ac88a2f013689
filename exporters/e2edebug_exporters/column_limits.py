"""How many characters each column takes, read once from the tables."""

from dataclasses import dataclass
from functools import cache

from e2edebug_schema import tables


@dataclass(frozen=True, slots=True)
class ColumnLimits:
    """Characters (code points) by column name, per table that telemetry is written to."""

    session: dict[str, int]
    step: dict[str, int]
    snapshot: dict[str, int]
    error: dict[str, int]
    error_group: dict[str, int]


@cache
def column_limits() -> ColumnLimits:
    """Return the limits of the store's tables."""
    return ColumnLimits(
        session=tables.text_limits(tables.workflow_session),
        step=tables.text_limits(tables.trace_step),
        snapshot=tables.text_limits(tables.performance_snapshot),
        error=tables.text_limits(tables.error_log),
        error_group=tables.text_limits(tables.error_group),
    )
