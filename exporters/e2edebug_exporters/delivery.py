"""Rows on their way to the store, as a machine of four states.

    healthy ──failure──▶ retrying ──bounded tries──▶ spooling ──probe stored──▶ recovering ──spool empty──▶ healthy
                             └──────────stored──────────────────────────────────────▲

- healthy: every batch goes to the store.
- retrying: one batch is held and sent again after a pause with full jitter; what comes after it waits in the queue.
- spooling: the circuit is open. Every batch goes to disk, and one frame of it probes the store now and then.
- recovering: batches go to the store again, and after each of them one frame of the spool, so that neither starves.

Without a spool, or while it cannot be used, `retrying` and `spooling` hold one batch in memory and the queue is the
bound. With `spool-first` every batch goes to disk before it goes anywhere else, in every state; what comes while the
store keeps this thread waiting is put there by another one (`spool_relief`).
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.bounded_queue import Item, rows_of
from e2edebug_exporters.error_classes import ErrorClass, classify, must_invalidate, short_text
from e2edebug_exporters.held_batch import HeldBatch
from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.row_assembly import assemble
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.segment import Replay
from e2edebug_exporters.spool.spool import Spool
from e2edebug_exporters.store_calls import StoreCalls
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_exporters.table_creation import make_tables
from e2edebug_schema.queries.readiness import require_answer
from e2edebug_schema.store_errors import StoreError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
RETRY_TRIES: Final = 4
RETRY_TIME_S: Final = 5.0
"""Retrying ends with whichever comes first; a server that does not answer has used up the time with its first try."""
ADOPTION_INTERVAL_S: Final = 15.0
MAX_PIECES: Final = 64
INTERNAL_ERROR: Final = "internal_error"

logger = logging.getLogger("e2edebug.delivery")


class State(StrEnum):
    """What becomes of a batch now."""

    HEALTHY = "healthy"
    RETRYING = "retrying"
    SPOOLING = "spooling"
    RECOVERING = "recovering"


class Delivery:
    """Holds at most one batch. Used by one thread; by others only in its place, while it is inside one of `store_calls`.

    spool: None keeps rows in memory alone. clock, sleep, jitter: replaced by tests.
    """

    def __init__(
        self,
        store: StoreConnection,
        *,
        make_mapper: Callable[[], RowMapper],
        ledger: Ledger,
        auto_migrate: bool,
        spool: Spool | None = None,
        is_spool_first: bool = False,
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
        self._spool = spool
        self._is_spool_first = is_spool_first and spool is not None
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self.state = State.HEALTHY
        self._held = HeldBatch(ledger, spool)
        self._failures = 0
        self._failing_since = 0.0
        self._pieces = 1
        self._is_replays_turn = False
        self._away_because: str | None = None
        self._next_adoption_at = self._clock()
        self.next_attempt_at = 0.0
        """Of the clock: when the store is tried again, while it is away."""
        self.store_calls = StoreCalls()

    @property
    def is_holding(self) -> bool:
        """Whether a batch waits in memory for the store."""
        return self._held.batch is not None

    @property
    def may_load(self) -> bool:
        """Whether `load` may be called: with spool-first also while a batch is held."""
        return not self.is_holding or (self._is_spool_first and self.can_spool and self._held.has_place)

    @property
    def is_store_away(self) -> bool:
        """Whether the last attempt failed."""
        return self.state in (State.RETRYING, State.SPOOLING)

    @property
    def can_spool(self) -> bool:
        """Whether there is a spool, and it took what it was given last."""
        return self._spool is not None and not self._spool.is_refusing

    # Rows come in.

    def map_anew(self) -> None:
        """Make another mapper for what comes: the configuration has changed."""
        self._mapper = None

    def load(self, items: Sequence[Item]) -> None:
        """Take over *items* as the next batch: to disk where that is due, else held until `advance` stores it."""
        try:
            if self._mapper is None:
                self._mapper = self._make_mapper()
            batch = assemble(items, self._mapper, self._ledger)
        except BaseException:
            self._ledger.drop(rows_of(items), INTERNAL_ERROR)
            raise
        if not len(batch):
            return  # to send nothing would succeed, and say that the store answers
        is_away = self.state is State.SPOOLING
        if is_away or (self._is_spool_first and self.is_holding):
            if self._held.pass_to_disk(batch) and self.state is State.HEALTHY:
                self.state = State.RECOVERING  # spool-first, and the store is slower than the application
        elif self._is_spool_first:
            self._held.hold_on_disk_too(batch)
        else:
            self._held.hold(batch)

    # Rows go out.

    def advance(
        self, *, deadline: float, is_awaited: bool = False, is_pressed: bool = False, is_stopping: bool = False
    ) -> bool:
        """Do the next thing: send the held batch or a frame of the spool, or find out that there is nothing to do.

        deadline: of one attempt. is_awaited: somebody waits for the rows, so pauses are cut short. is_pressed: the queue
        fills up, so the held batch is not retried any longer. is_stopping: the process ends, so nothing is replayed.
        Returns whether to call again at once; False: not before `next_attempt_at`, or before something is loaded.
        """
        if self.state is State.RETRYING and (is_pressed or is_stopping):
            self._open_circuit()
            if not self.is_holding:
                return True
        is_for_disk = is_stopping and self._spool is not None  # nobody waits for the store any more
        if self.is_store_away and self._clock() < self.next_attempt_at and (is_for_disk or not is_awaited):
            return False
        may_replay = self._spool is not None and not is_stopping
        is_frames_turn = self.state is State.RECOVERING and self._is_replays_turn and may_replay
        if self._held.batch is not None and not is_frames_turn:
            return self._send_batch(self._held.batch, deadline, is_stopping=is_stopping)
        return may_replay and self._replay(deadline)

    def _send_batch(self, batch: RowBatch, deadline: float, *, is_stopping: bool) -> bool:
        begun_at = self._clock()
        try:
            result = self._write(batch, deadline)
        except StoreUnavailable as unavailable:
            with self.store_calls.lock:
                if self.store_calls.is_taken_over:
                    return False
                self._held.settle(unavailable.result, remaining=unavailable.remaining)
            self._note_failure(unavailable, begun_at)
            if self.state is State.RETRYING and (is_stopping or self._is_tried_enough(unavailable)):
                self._open_circuit()
            elif self.state is State.SPOOLING:
                self._held.move_to_disk()
            return not self.is_holding
        with self.store_calls.lock:
            if self.store_calls.is_taken_over:
                return False
            self._held.settle(result, remaining=None)
        self._note_success()
        self._is_replays_turn = True
        return True

    def _replay(self, deadline: float) -> bool:
        """Send the oldest frame of the spool."""
        spool = self._spool
        assert spool is not None  # callers looked
        self._adopt_if_due(spool)
        replay = None if self.state is State.HEALTHY and spool.is_empty else spool.next()
        if replay is None:
            return self._find_nothing_to_replay()
        begun_at = self._clock()
        try:
            result = self._write(replay.batch, deadline)
        except StoreUnavailable as unavailable:
            with self.store_calls.lock:
                if self.store_calls.is_taken_over:
                    return False
                spool.settle(replay, unavailable.result, remaining=unavailable.remaining)
            self._note_failure(unavailable, begun_at)
            self._open_circuit()  # the frame is on disk: there is nothing to hold
            return False
        except Exception as error:  # whatever a writer does not expect: sent again, it would fail again, for ever
            self._ledger.note_error(short_text(error))
            logger.exception("a frame of the spool is none that can be stored, and is dropped")
            refused = WriteResult(dropped=Counter({INTERNAL_ERROR: len(replay.batch)}))
            return self._finish_frame(spool, replay, refused)
        if not self._finish_frame(spool, replay, result):
            return False
        self._note_success()
        self._is_replays_turn = False
        return True

    def _finish_frame(self, spool: Spool, replay: Replay, result: WriteResult) -> bool:
        with self.store_calls.lock:
            if self.store_calls.is_taken_over:
                return False
            spool.settle(replay, result, remaining=RowBatch())
            spool.done(replay)
        return True

    def _adopt_if_due(self, spool: Spool) -> None:
        if self._clock() >= self._next_adoption_at:
            self._next_adoption_at = self._clock() + ADOPTION_INTERVAL_S
            if spool.adopt() and self.state is State.HEALTHY:
                self.state = State.RECOVERING

    def _find_nothing_to_replay(self) -> bool:
        if self.state is State.SPOOLING and not self.is_holding:
            if not self._is_answering():
                return False
            self._note_success()
            if self._spool is not None and not self._spool.is_empty:  # it was filled while the store was asked
                return True
        if self.state is State.RECOVERING:
            self.state = State.HEALTHY
            self._is_replays_turn = False
            return self.is_holding
        return False

    def _is_answering(self) -> bool:
        """Probe the store where no row is left to do it with."""
        begun_at = self._clock()
        try:
            with self.store_calls.inside():
                require_answer(self._store.engine())
        except Exception as error:  # noqa: BLE001 # whatever it is, the store is not ready
            failure = StoreUnavailable(short_text(error), classify(error))
            failure.__cause__ = error
            self._note_failure(failure, begun_at)
            if must_invalidate(error):
                self._store.close()
            return False
        return True

    # From state to state.

    def _note_failure(self, unavailable: StoreUnavailable, begun_at: float) -> None:
        if self.state in (State.HEALTHY, State.RECOVERING):
            self.state = State.RETRYING
            self._failing_since = begun_at
        self._failures += 1
        # Full jitter between 0 and a growing bound: a hundred processes that lost the store together come back apart.
        bound_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 16))
        self.next_attempt_at = self._clock() + bound_s * self._jitter()
        if unavailable.error_class is ErrorClass.RECONNECT and self._failures > 1:
            # A timeout may mean that the batch is too much for a slow server, which would refuse it for ever.
            self._pieces = min(MAX_PIECES, self._pieces * 2)
        self._report(unavailable)

    def _is_tried_enough(self, unavailable: StoreUnavailable) -> bool:
        return (
            unavailable.error_class is ErrorClass.SCHEMA  # only an operator changes that
            or self._failures >= RETRY_TRIES
            or self._clock() - self._failing_since >= RETRY_TIME_S
        )

    def _open_circuit(self) -> None:
        """Go over to spooling, where there is a spool."""
        if self._spool is not None:
            is_news = self.state is not State.SPOOLING
            self.state = State.SPOOLING
            self._held.move_to_disk()
            if is_news and self._spool.path is not None:
                logger.info("rows wait on disk, in %s; `e2edebug spool status` shows them", self._spool.path)

    def _note_success(self) -> None:
        if self.is_store_away:
            logger.warning("the store answers again, after %d attempts", self._failures)
            self._failures = 0
            self._pieces = 1
            self._away_because = None
            self._next_adoption_at = self._clock()  # others may have ended meanwhile
            is_behind = self._spool is not None and not self._spool.is_empty
            self.state = State.RECOVERING if is_behind else State.HEALTHY

    def _report(self, unavailable: StoreUnavailable) -> None:
        reason = str(unavailable)
        self._ledger.note_error(reason)
        cause = f"{unavailable.error_class.value}: {type(unavailable.__cause__).__name__}"
        if cause != self._away_because:
            self._away_because = cause
            if unavailable.error_class is ErrorClass.SCHEMA:
                logger.error("the store lacks tables or columns (%s): run `e2edebug migrate`; rows are kept", reason)
            else:
                logger.warning("the store takes no rows (%s); they are kept and sent again", reason)

    # The end.

    def give_up(self, reason: str) -> None:
        """Move the held batch to disk; where that cannot be, drop it and count it under *reason*."""
        self._held.move_to_disk()
        self._held.drop(reason)

    def abandon(self, reason: str) -> None:
        """Drop the held batch and count it; what is on disk stays there."""
        self._held.drop(reason)

    def take_over(self) -> bool:
        """Let the calling thread go on in place of one that waits for the store and may never come back.

        Whether that one's batch still arrives cannot be told; it is safe to deliver it twice. False: it is at work
        elsewhere, and must be left alone.
        """
        return self.store_calls.take_over()

    def spool_mark(self) -> int:
        """Return the number of the last frame that was written."""
        return 0 if self._spool is None else self._spool.last_number

    def is_replayed_up_to(self, mark: int) -> bool:
        """Whether every frame of ours up to *mark* is accounted for."""
        return self._spool is None or self._spool.is_replayed_up_to(mark)

    # One write.

    def _write(self, batch: RowBatch, deadline: float) -> WriteResult:
        with self.store_calls.inside():
            return self._write_or_make_tables(batch, deadline)

    def _write_or_make_tables(self, batch: RowBatch, deadline: float) -> WriteResult:
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
            if unavailable.error_class is not ErrorClass.SCHEMA or not self._are_tables_made():
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

    def _are_tables_made(self) -> bool:
        return self._auto_migrate and make_tables(self._store.engine(), self._ledger)
