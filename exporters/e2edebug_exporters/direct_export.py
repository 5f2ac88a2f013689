"""What the three public exporters share: rows are written while the caller waits, which is a batch processor's thread.

A batch processor ignores the result of an export and forgets the batch, so what cannot be written within the time of
one export goes to disk; without a spool it is lost here, and counted here. At an exit the processor waits for its
thread, so that one must not be the one that waits for a store which may never answer: a thread of ours is.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any, Final

from opentelemetry import _logs, trace
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config, load_config
from e2edebug.policy.durability import Durability
from e2edebug.policy.self_report import internal_error
from e2edebug.policy.thread_signals import start_thread
from e2edebug_exporters import process_lifecycle
from e2edebug_exporters.bounded_queue import SHUTDOWN, Item, Kind
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.delivery import INTERNAL_ERROR, Delivery
from e2edebug_exporters.fork_gate import ForkGate
from e2edebug_exporters.giving_way import take_turns
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.own_work import suppressed
from e2edebug_exporters.recording.span import RecordingSpan
from e2edebug_exporters.rest_on_disk import ends_within
from e2edebug_exporters.row_assembly import assemble
from e2edebug_exporters.spool.folder import SpoolUnusableError
from e2edebug_exporters.spool.opening import spool_of
from e2edebug_exporters.store_connection import StoreConnection

EXPORT_TIMEOUT_S: Final = 10.0
STORE_UNAVAILABLE: Final = "store_unavailable"
_LONGEST_PAUSE_S: Final = 1.0
_REPLAY_TIME_S: Final = 1.0
"""How long an export may go on with what is on disk, once its own rows are stored."""
_LOOK_S: Final = 0.05
"""How often a caller that waits looks whether the time of an exit is over."""
_CALM_LOOK_S: Final = 0.25
"""How often it looks whether an exit has begun: to be woken up is processor time too, and exports take less."""
_DISK_TIME_S: Final = 0.5
"""What an exit may take beyond its time to put the last rows on disk."""
_DEFAULT_URL: Final = "sqlite:///e2edebug.sqlite3"


class DirectExport:
    """Maps and writes what it is given before it returns. Safe for threads: one export at a time.

    store: a database URL or engine; by default the setting E2EDEBUG_DATABASE_URL, else a SQLite file in the working
    directory. config: by default read from the environment; raises ConfigurationError if that is wrong. timeout_s: of
    one export, all its tries together.
    """

    def __init__(
        self,
        store: Engine | URL | str | None = None,
        *,
        config: Config | None = None,
        timeout_s: float = EXPORT_TIMEOUT_S,
    ) -> None:
        self._timeout_s = timeout_s
        self._config = config or load_config()
        self._connection = StoreConnection.of(store or self._config.database_url or _DEFAULT_URL, self._config)
        self.ledger = Ledger()
        self._spool = spool_of(self._config, self._connection, self.ledger)
        self._is_shut_down = False
        self._hears_of_exit = False
        self._begin()
        process_lifecycle.watch(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._gate = ForkGate()
        self._delivery = self._new_delivery()

    def _new_delivery(self) -> Delivery:
        return Delivery(
            self._connection,
            make_mapper=lambda: mapper_of(self._config),
            ledger=self.ledger,
            auto_migrate=self._config.auto_migrate,
            spool=self._spool,
            is_spool_first=self._config.durability is Durability.SPOOL_FIRST,
        )

    def export(self, kind: Kind, payloads: Sequence[Any], *, rows: int, timeout_s: float | None = None) -> bool:
        """Write *payloads*; True once each row is stored, found in the store, refused by it and counted, or on disk.

        False when neither store nor spool took them in time: they are dropped as `store_unavailable`, or as `shutdown`
        when the process is ending, which has the time of `exit_timeout_s` for all that is left.
        """
        if self._is_shut_down:
            self.ledger.refuse(rows, SHUTDOWN)
            return False
        try:
            with suppressed(), self._lock:
                self._hear_of_exit()
                self.ledger.emit(rows)
                each = rows // len(payloads) if payloads else 0
                items: list[Item] = [
                    payload if type(payload) is RecordingSpan else (0, kind, payload, each, 0) for payload in payloads
                ]
                return self._export(items, timeout_s or self._timeout_s)
        except Exception as error:  # noqa: BLE001 # an exporter answers with failure
            self._delivery.abandon(INTERNAL_ERROR)
            internal_error("export a batch", error)
            return False

    def _hear_of_exit(self) -> None:
        if not self._hears_of_exit:
            self._hears_of_exit = True
            process_lifecycle.note_exit_before_providers()  # whoever calls has one

    def _export(self, items: Sequence[Item], timeout_s: float) -> bool:
        if self._is_exit_over():
            return self._end_on_disk(items)
        if self._delivery.store_calls.is_taken_over:  # an end that was none: the process goes on
            self._delivery = self._new_delivery()
        delivered: Future[bool] = Future()

        def deliver() -> None:
            try:
                with suppressed(), self._gate.working():
                    delivered.set_result(self._deliver(items, timeout_s))
            except BaseException as error:  # noqa: BLE001 # the caller has it
                delivered.set_exception(error)

        def deliver_in_turns() -> None:
            take_turns(self._exit_time_left() is None)
            deliver()

        try:
            start_thread(deliver_in_turns)
        except RuntimeError:  # the interpreter ends, and starts none any more
            deliver()
        while not wait([delivered], timeout=self._time_to_next_look()).done:
            if self._is_exit_over():
                if self._delivery.take_over():
                    return self._end_on_disk([])
                if self._is_exit_over(by_s=_DISK_TIME_S):  # it hangs in another place: a disk
                    return self._abandon()
        return delivered.result()

    def _deliver(self, items: Sequence[Item], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        delivery = self._delivery
        delivery.load(items)
        while delivery.is_holding:
            exit_s = self._exit_time_left()
            until = deadline if exit_s is None else min(deadline, time.monotonic() + exit_s)
            if delivery.advance(deadline=until, is_stopping=exit_s is not None) or not delivery.is_holding:
                continue
            if delivery.store_calls.is_taken_over:
                return False
            pause_s = min(_LONGEST_PAUSE_S, delivery.next_attempt_at - time.monotonic())
            if time.monotonic() + pause_s >= until:
                lost_before = self._lost(STORE_UNAVAILABLE)
                delivery.give_up(STORE_UNAVAILABLE)
                return self._lost(STORE_UNAVAILABLE) == lost_before
            time.sleep(max(0.0, pause_s))
        until = min(deadline, time.monotonic() + _REPLAY_TIME_S)
        while self._exit_time_left() is None and time.monotonic() < until and delivery.advance(deadline=until):
            pass
        return True

    def _lost(self, reason: str) -> int:
        return self.ledger.read().dropped.get(reason, 0)

    def _exit_time_left(self) -> float | None:
        return process_lifecycle.exit_time_left(self._config.exit_timeout_s)

    def _time_to_next_look(self) -> float:
        """Return for how long a caller may wait without finding out too late that an exit has used up its time."""
        if self._exit_time_left() is None:
            return max(_LOOK_S, min(_CALM_LOOK_S, self._config.exit_timeout_s))
        return _LOOK_S

    def _is_exit_over(self, *, by_s: float = 0.0) -> bool:
        left_s = self._exit_time_left()
        return left_s is not None and left_s <= -by_s

    def _end_on_disk(self, items: Sequence[Item]) -> bool:
        """Put the held batch and *items* on disk, in place of the thread that waits for the store; else count them."""
        lost_before = self._lost(SHUTDOWN)

        def put() -> None:
            self._delivery.give_up(SHUTDOWN)
            batch = assemble(items, mapper_of(self._config), self.ledger)
            if self._spool is None or not len(batch):
                self.ledger.drop(len(batch), SHUTDOWN)
                return
            try:
                self._spool.append(batch)
                self.ledger.spool(len(batch))
            except SpoolUnusableError:
                self.ledger.drop(len(batch), SHUTDOWN)

        if not ends_within(_DISK_TIME_S, put):
            return self._abandon()
        return self._lost(SHUTDOWN) == lost_before

    def _abandon(self) -> bool:
        """Count what waits as lost: what becomes of it cannot be told."""
        self._is_shut_down = True
        self.ledger.close(SHUTDOWN)
        return False

    def shutdown(self) -> None:
        """Take nothing more and close the connection."""
        self._is_shut_down = True
        self._connection.close()
        if self._spool is not None and self._lock.acquire(timeout=_LONGEST_PAUSE_S):
            try:
                self._spool.close()
            finally:
                self._lock.release()
        process_lifecycle.forget(self)

    # Forks and exits, called by process_lifecycle.

    def before_fork(self) -> None:
        """Let a running export come to its end, if it does so soon."""
        if self._gate.close():
            self._connection.leave_file()
        self.ledger.lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self.ledger.lock.release()
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin with new books and a connection of its own."""
        self.ledger.reset()
        self._connection.after_fork_in_child()
        if self._spool is not None:
            self._spool.after_fork_in_child()
        self._begin()

    def exit(self) -> None:
        """Nothing waits here, but something may wait in the processor before: an end by os._exit() would not flush it."""
        for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
            force_flush = getattr(provider, "force_flush", None)
            if force_flush is not None:
                force_flush(max(0, int((self._exit_time_left() or 0.0) * 1000)))
