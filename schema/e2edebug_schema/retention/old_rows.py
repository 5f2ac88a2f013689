"""Rows go in small batches by their keys, with a pause after each: where there are no partitions to drop.

Reading which rows are old takes no lock; deleting them by key locks these rows alone, on SQLite the file for a few
milliseconds. The pause is as long as the batch took, so that writers who wait get their turn.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, delete, func, select, true

from e2edebug_schema.queries.reading import reading
from e2edebug_schema.retention.policy import AgedTable, last_news

ROWS_AT_ONCE: Final = 500
LONGEST_PAUSE_S: Final = 0.25


def count_old_rows(engine: Engine, aged: AgedTable, before: datetime) -> int:
    """Return how many rows would go."""
    query = (
        select(func.count()).select_from(aged.table).where(aged.time < before, last_news(aged) < before, aged.condition)
    )
    with reading(engine) as connection:
        return int(connection.execute(query).scalar_one())


def delete_old_rows(
    engine: Engine,
    aged: AgedTable,
    before: datetime,
    *,
    goes_on: Callable[[int], bool] = lambda _deleted: True,
    rows_at_once: int = ROWS_AT_ONCE,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Delete what is older than *before* and return how many rows that were.

    goes_on: asked after each batch, with the rows of that batch; False ends it.
    """
    key, row_id = aged.walked_by, aged.table.c.id
    old = (aged.time < before, last_news(aged) < before, aged.condition)
    by_time = key is aged.time
    deleted, after = 0, None
    while True:
        # The deleted rows are gone from the beginning of the index; those that may stay must not be met again and again.
        beyond = true() if after is None else (key >= after if by_time else key > after)
        query = select(row_id, key.label("walked")).where(*old, beyond).order_by(key).limit(rows_at_once)
        with reading(engine) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return deleted
        after = rows[-1].walked
        began_s = time.monotonic()
        with engine.begin() as connection:
            # In the order of the key, as every other writer goes; the time lets a server look into one partition only.
            ids = sorted(row.id for row in rows)
            gone = connection.execute(delete(aged.table).where(row_id.in_(ids), *old)).rowcount
        deleted += gone
        if not goes_on(gone):
            return deleted
        if len(rows) < rows_at_once:
            return deleted
        sleep(min(time.monotonic() - began_s, LONGEST_PAUSE_S))
