"""A workflow of which nothing is heard becomes `timeout`: swept now and then by the pipeline's thread."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import case, func, select, update

from e2edebug_exporters.error_classes import short_text
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.tables import OPEN_STATUS_RANK, STATUS_RANKS, workflow_session

_LONGEST_INTERVAL_S: Final = 60.0
_ROWS_AT_ONCE: Final = 500

logger = logging.getLogger("e2edebug.pipeline")


class WorkflowTimeouts:
    """Finds sessions in progress whose last news are older than *timeout_s*. Every process may sweep; it is idempotent."""

    def __init__(
        self,
        store: StoreConnection,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._timeout_s = timeout_s
        self._interval_s = min(_LONGEST_INTERVAL_S, max(timeout_s / 4, 1.0))
        self._clock = clock
        self._now = now
        self._next_at = clock() + self._interval_s

    def run_if_due(self) -> int:
        """Sweep if the interval is over; return how many sessions timed out. A failure waits for the next interval."""
        if self._clock() < self._next_at:
            return 0
        self._next_at = self._clock() + self._interval_s
        try:
            return self.sweep()
        except Exception as error:  # noqa: BLE001 # the next batch will tell what is wrong with the store
            logger.debug("workflows could not be timed out: %s", short_text(error))
            return 0

    def sweep(self) -> int:
        """Mark at most 500 sessions; return how many."""
        table = workflow_session
        limit = self._now() - timedelta(seconds=self._timeout_s)
        in_progress = table.c.status == "in_progress"
        silent = (
            select(table.c.id)
            .where(in_progress, table.c.start_time < limit)
            .where(func.coalesce(table.c.end_time, table.c.start_time) < limit)
            .order_by(table.c.start_time)
            .limit(_ROWS_AT_ONCE)
        )
        with self._store.engine().begin() as connection:
            ids = connection.execute(silent).scalars().all()
            if not ids:
                return 0
            # By primary key and in its order: no gap locks, and no deadlock between two sweeps.
            marked = connection.execute(
                update(table)
                .where(table.c.id.in_(sorted(ids)), in_progress)
                .values(
                    status="timeout",
                    status_rank=case(
                        (table.c.status_rank == OPEN_STATUS_RANK, OPEN_STATUS_RANK), else_=STATUS_RANKS["timeout"]
                    ),
                )
            )
            return marked.rowcount
