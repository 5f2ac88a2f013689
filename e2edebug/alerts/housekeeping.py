"""What nobody needs any more: old messages, the history of alerts that retention has removed, windows that are over."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Engine, Table, delete, exists, select

from e2edebug_schema.alert_tables import alert_event, maintenance_window, notification, threshold_option
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.tables import alert, performance_threshold

EVERY: Final = timedelta(hours=1)
ROWS_AT_ONCE: Final = 500
MOST_ROWS: Final = 10_000
"""In one run: the next hour goes on."""


def tidy(engine: Engine, *, now: datetime, keep_days: float) -> int:
    """Delete what is older than alerts are kept, in small batches; 0 days is for ever. Returns how many rows went."""
    gone = _delete(
        engine,
        threshold_option,
        ~exists().where(performance_threshold.c.id == threshold_option.c.threshold_id),
    )
    if not keep_days:
        return gone
    before = now - timedelta(days=keep_days)
    gone += _delete(
        engine, notification, notification.c.created_at < before, notification.c.status.not_in(("waiting", "sending"))
    )
    gone += _delete(
        engine, alert_event, alert_event.c.occurred_at < before, ~exists().where(alert.c.id == alert_event.c.alert_id)
    )
    return gone + _delete(engine, maintenance_window, maintenance_window.c.ends_at < before)


def _delete(engine: Engine, table: Table, *conditions: ColumnElement[bool]) -> int:
    gone = 0
    while gone < MOST_ROWS:
        # Read first and delete by key: a DELETE that searches locks what it passes.
        with reading(engine) as connection:
            ids = list(connection.execute(select(table.c.id).where(*conditions).limit(ROWS_AT_ONCE)).scalars())
        if ids:
            with engine.begin() as connection:
                connection.execute(delete(table).where(table.c.id.in_(sorted(ids))))
        gone += len(ids)
        if len(ids) < ROWS_AT_ONCE:
            break
    return gone
