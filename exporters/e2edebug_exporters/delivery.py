"""One batch at a time on its way to the store, held for as long as the store is away.

An outage costs the host nothing: the batch stays here, what comes after it waits in the queue, and one attempt now and
then probes the store. `_hold()` is where a batch that cannot be delivered would go to disk instead.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.bounded_queue import Item
from e2edebug_exporters.error_classes import ErrorClass, short_text
from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.row_assembly import assemble
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_schema.schema_state import SchemaState
from e2edebug_schema.store_errors import StoreError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
MAX_PIECES: Final = 64
INTERNAL_ERROR: Final = "internal_error"

logger = logging.getLogger("e2edebug.delivery")


class Delivery:
    """Holds at most one batch. Used by the pipeline's thread alone.

    clock, sleep, jitter: replaced by tests.
    """

    def __init__(
        self,
        store: StoreConnection,
        *,
        make_mapper: Callable[[], RowMapper],
        ledger: Ledger,
        auto_migrate: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._make_mapper = make_mapper
        self._mapper: RowMapper | None = None
        self._writer: BatchWriter | None = None
        self._ledger = ledger
        self._auto_migrate = auto_migrate
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._batch: RowBatch | None = None
        self._failures = 0
        self._pieces = 1
        self._away_because: str | None = None
        self.next_attempt_at = 0.0
        """Of the clock: when the held batch is due again."""

    @property
    def is_holding(self) -> bool:
        """Whether a batch waits for the store."""
        return self._batch is not None

    @property
    def is_store_away(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    def map_anew(self) -> None:
        """Make another mapper for what comes: the configuration has changed."""
        self._mapper = None

    def load(self, items: Sequence[Item]) -> None:
        """Take over *items* as the next batch."""
        try:
            if self._mapper is None:
                self._mapper = self._make_mapper()
            self._batch = assemble(items, self._mapper, self._ledger)
        except BaseException:
            self._ledger.drop(sum(item.rows for item in items), INTERNAL_ERROR)
            raise

    def attempt(self, *, deadline: float) -> bool:
        """Try to store the held batch. True: it is accounted for. False: it is still held, with a pause set."""
        batch = self._batch
        if batch is None:
            return True
        try:
            result = self._write(batch, deadline)
        except StoreUnavailable as unavailable:
            self._ledger.settle(unavailable.result)
            self._hold(unavailable.remaining, unavailable)
            return False
        self._batch = None
        self._ledger.settle(result)
        if self._failures:
            logger.warning("the store answers again, after %d attempts", self._failures)
            self._failures = 0
            self._pieces = 1
            self._away_because = None
        return True

    def abandon(self, reason: str) -> None:
        """Give the held batch up and count it."""
        batch, self._batch = self._batch, None
        if batch is not None:
            self._ledger.drop(len(batch), reason)

    def _write(self, batch: RowBatch, deadline: float) -> WriteResult:
        try:
            if self._writer is None:
                self._writer = BatchWriter(
                    self._store.engine(),
                    ledger=self._ledger,
                    clock=self._clock,
                    sleep=self._sleep,
                    jitter=self._jitter,
                )
            return self._writer.write(batch, deadline=deadline, pieces=self._pieces)
        except StoreUnavailable as unavailable:
            if unavailable.error_class is not ErrorClass.SCHEMA or not self._is_schema_made():
                raise
            assert self._writer is not None  # it has just failed
            result = unavailable.result
            try:
                result.add(self._writer.write(unavailable.remaining, deadline=deadline))
            except StoreUnavailable as again:
                result.add(again.result)
                again.result = result
                raise
            return result
        except StoreError as error:  # the URL or its driver cannot be used
            failure = StoreUnavailable(str(error), ErrorClass.BACK_OFF)
            failure.remaining = batch
            raise failure from error

    def _is_schema_made(self) -> bool:
        """Create the tables of an empty database, if that is wanted; anything else is left to `e2edebug migrate`."""
        if not self._auto_migrate:
            return False
        from e2edebug_schema.migrate import migrate, status  # Alembic: 0.1 s that only an empty store has to pay

        engine = self._store.engine()
        try:
            found = status(engine)
            # Behind without a revision is a first migration under way in another process, or one that was interrupted.
            is_begun = found.state is SchemaState.BEHIND and found.revision is None
            if found.state is not SchemaState.ABSENT and not is_begun:
                return found.is_usable  # another process has just made them
            migrate(engine)
        except Exception as error:  # noqa: BLE001 # whatever it is, the rows stay and the operator reads it
            self._ledger.note_error(short_text(error))
            return False
        logger.info("the tables of e2edebug were created in %r", engine.url)
        return True

    def _hold(self, batch: RowBatch, unavailable: StoreUnavailable) -> None:
        """Keep *batch* in memory until its next attempt. A spool on disk would take it from here."""
        self._batch = batch
        self._failures += 1
        # Full jitter between 0 and a growing bound: a hundred processes that lost the store together come back apart.
        bound_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        self.next_attempt_at = self._clock() + bound_s * self._jitter()
        if unavailable.error_class is ErrorClass.RECONNECT and self._failures > 1:
            # A timeout may mean that the batch is too much for a slow server, which would refuse it for ever.
            self._pieces = min(MAX_PIECES, self._pieces * 2)
        reason = str(unavailable)
        self._ledger.note_error(reason)
        cause = f"{unavailable.error_class.value}: {type(unavailable.__cause__).__name__}"
        if cause != self._away_because:
            self._away_because = cause
            if unavailable.error_class is ErrorClass.SCHEMA:
                logger.error("the store lacks tables or columns (%s): run `e2edebug migrate`; rows are kept", reason)
            else:
                logger.warning("the store takes no rows (%s); they are kept and sent again", reason)
