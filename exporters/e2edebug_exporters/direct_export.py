"""What the three public exporters share: rows are written in the calling thread, which is a batch processor's.

A batch processor ignores the result of an export and forgets the batch, so what cannot be written within the time of
one export goes to disk; without a spool it is lost here, and counted here.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry import _logs, trace
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY  # private, and the SDK's own processors use it
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config, load_config
from e2edebug.policy.durability import Durability
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters import process_lifecycle
from e2edebug_exporters.bounded_queue import Kind, item_of
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.delivery import INTERNAL_ERROR, Delivery
from e2edebug_exporters.fork_gate import ForkGate
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.spool.opening import spool_of
from e2edebug_exporters.store_connection import StoreConnection

EXPORT_TIMEOUT_S: Final = 10.0
STORE_UNAVAILABLE: Final = "store_unavailable"
_LONGEST_PAUSE_S: Final = 1.0
_REPLAY_TIME_S: Final = 1.0
"""How long an export may go on with what is on disk, once its own rows are stored."""
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
        self._begin()
        process_lifecycle.watch(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._gate = ForkGate()
        self._delivery = Delivery(
            self._connection,
            make_mapper=lambda: mapper_of(self._config),
            ledger=self.ledger,
            auto_migrate=self._config.auto_migrate,
            spool=self._spool,
            is_spool_first=self._config.durability is Durability.SPOOL_FIRST,
        )

    def export(self, kind: Kind, payloads: Sequence[Any], *, rows: int, timeout_s: float | None = None) -> bool:
        """Write *payloads*; True once each row is stored, found in the store, refused by it and counted, or on disk.

        False when neither store nor spool took them in time: they are dropped as `store_unavailable`.
        """
        if self._is_shut_down:
            self.ledger.refuse(rows, "shutdown")
            return False
        token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            with self._lock, self._gate.working():
                return self._export(kind, payloads, rows, timeout_s or self._timeout_s)
        except Exception as error:  # noqa: BLE001 # an exporter answers with failure
            self._delivery.abandon(INTERNAL_ERROR)
            internal_error("export a batch", error)
            return False
        finally:
            otel_context.detach(token)

    def _export(self, kind: Kind, payloads: Sequence[Any], rows: int, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        self.ledger.emit(rows)
        each = rows // len(payloads) if payloads else 0
        self._delivery.load([item_of((0, kind, payload, each, 0)) for payload in payloads])
        while self._delivery.is_holding:
            if self._delivery.advance(deadline=deadline) or not self._delivery.is_holding:
                continue
            pause_s = min(_LONGEST_PAUSE_S, self._delivery.next_attempt_at - time.monotonic())
            if time.monotonic() + pause_s >= deadline:
                lost_before = self.ledger.read().dropped.get(STORE_UNAVAILABLE, 0)
                self._delivery.give_up(STORE_UNAVAILABLE)
                return self.ledger.read().dropped.get(STORE_UNAVAILABLE, 0) == lost_before
            time.sleep(max(0.0, pause_s))
        until = min(deadline, time.monotonic() + _REPLAY_TIME_S)
        while time.monotonic() < until and self._delivery.advance(deadline=until):
            pass
        return True

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
        deadline = time.monotonic() + self._config.exit_timeout_s
        for provider in (trace.get_tracer_provider(), _logs.get_logger_provider()):
            force_flush = getattr(provider, "force_flush", None)
            if force_flush is not None:
                force_flush(max(0, int((deadline - time.monotonic()) * 1000)))
