"""The one batch that is on its way to the store: in memory, on disk as well with spool-first, or moved to disk."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.folder import SpoolUnusableError
from e2edebug_exporters.spool.segment import Replay
from e2edebug_exporters.spool.spool import Spool

logger = logging.getLogger("e2edebug.delivery")


class HeldBatch:
    """At most one batch, and the books of how it came and went."""

    def __init__(self, ledger: Ledger, spool: Spool | None) -> None:
        self._ledger = ledger
        self._spool = spool
        self.batch: RowBatch | None = None
        self._frame: Replay | None = None
        """On disk, if the batch is there already."""
        self._next: RowBatch | None = None
        """One that should have gone to disk while another is held, and could not."""
        self._is_problem_told = False

    @property
    def has_place(self) -> bool:
        """Whether another batch can be taken in that is meant for disk."""
        return self.batch is None or self._next is None

    def hold(self, batch: RowBatch) -> None:
        """Hold *batch* in memory."""
        self.batch = batch

    def hold_on_disk_too(self, batch: RowBatch) -> None:
        """Write *batch* to disk and hold it; where the disk does not take it, hold it in memory alone."""
        assert self._spool is not None  # else there is no disk to think of
        self.batch = batch
        with self._disk():
            self._frame = self._spool.append_in_hand(batch)
            self._ledger.spool(len(batch))

    def pass_to_disk(self, batch: RowBatch) -> bool:
        """Write *batch* to disk, to be replayed later. False: the disk does not take it, and it is held."""
        assert self._spool is not None  # else there is no disk to think of
        if len(batch):
            with self._disk():
                self._spool.append(batch)
                self._ledger.spool(len(batch))
                return True
        if self.batch is None:
            self.batch = batch
        else:
            self._next = batch
        return False

    def move_to_disk(self) -> None:
        """Move what is held to disk, if that takes it; else it stays held."""
        batch, spool = self.batch, self._spool
        if batch is None or spool is None:
            return
        if self._frame is not None:
            frame, self._frame = self._frame, None
            spool.let_go(frame)
            self._go_on()
        with self._disk():
            while self.batch is not None:
                if len(self.batch):
                    spool.append(self.batch)
                    self._ledger.spool(len(self.batch))
                self._go_on()

    def settle(self, result: WriteResult, *, remaining: RowBatch | None) -> None:
        """Book what became of the held batch; *remaining* of it is still held, None: nothing is."""
        if self._frame is None:
            self._ledger.settle(result)
        else:
            assert self._spool is not None  # it gave the frame
            self._spool.settle(self._frame, result, remaining=remaining or RowBatch())
        if remaining is not None:
            self.batch = remaining
            return
        if self._frame is not None and self._spool is not None:
            frame, self._frame = self._frame, None
            self._spool.done(frame)
        self._go_on()

    def drop(self, reason: str) -> None:
        """Drop what is held in memory alone and count it."""
        if self._frame is not None and self._spool is not None:
            frame, self._frame = self._frame, None
            self._spool.let_go(frame)
            self._go_on()
        while self.batch is not None:
            self._ledger.drop(len(self.batch), reason)
            self._go_on()

    def _go_on(self) -> None:
        self.batch, self._next = self._next, None

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """End the block quietly when the spool takes nothing; that is counted, and said once."""
        try:
            yield
        except SpoolUnusableError as error:
            self._ledger.note_error(f"spool: {error}")
            if not self._is_problem_told:
                logger.warning("the spool takes no rows (%s); they are kept in memory while there is room", error)
            self._is_problem_told = True
        else:
            if self._is_problem_told:
                self._is_problem_told = False
                logger.warning("the spool takes rows again")
