"""What runs and what fails just now: small look-ups by index, each with a bound."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from e2edebug_schema.queries.reading import Source, reading
from e2edebug_schema.tables import error_log, workflow_session

MOST_COUNTED: Final = 10_000
"""Nobody needs to know whether 10,000 or 11,000 workflows are stuck; counting goes on no longer."""


def active_workflow_count(source: Source, *, since: datetime) -> int:
    """Return how many workflows that started from *since* on are in progress, at most MOST_COUNTED."""
    columns = workflow_session.c
    running = (
        select(columns.id).where(columns.status == "in_progress", columns.start_time >= since).limit(MOST_COUNTED)
    ).subquery()
    with reading(source) as connection:
        return int(connection.execute(select(func.count()).select_from(running)).scalar_one())


def error_counts_by_layer(source: Source, *, since: datetime) -> dict[str, int]:
    """Return how many errors happened from *since* on in each layer; the newest MOST_COUNTED of them are counted."""
    columns = error_log.c
    newest = (
        select(columns.layer).where(columns.timestamp >= since).order_by(columns.timestamp.desc()).limit(MOST_COUNTED)
    ).subquery()
    query = select(newest.c.layer, func.count()).group_by(newest.c.layer)
    with reading(source) as connection:
        return {row.layer: row[1] for row in connection.execute(query)}


def answers(source: Source) -> None:
    """Read one row of the store's own tables. Raises what SQLAlchemy raises when they cannot be read."""
    with reading(source) as connection:
        connection.execute(select(workflow_session.c.id).limit(1)).first()
