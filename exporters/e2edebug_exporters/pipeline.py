"""Everything that a process records goes through here: a bounded queue in front, one thread behind it, the store at the end.

The application's threads only put things in. One daemon thread, started with the first item and again whenever it is
found dead, maps and writes. Instrumentation is suppressed in it, so our own statements make no spans.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config
from e2edebug.policy.durability import Durability
from e2edebug.policy.runtime_configuration import UNCHANGED, RuntimeConfiguration
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters import process_lifecycle
from e2edebug_exporters.bounded_queue import (
    SHUTDOWN,
    BoundedQueue,
    Kind,
    Rank,
    log_bytes,
    metrics_bytes,
    rank_of_span,
    span_bytes,
)
from e2edebug_exporters.configuration_poll import ConfigurationPoll
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.delivery import INTERNAL_ERROR, Delivery
from e2edebug_exporters.end_time import EndTime
from e2edebug_exporters.flush_requests import FlushRequest, FlushRequests
from e2edebug_exporters.fork_gate import WAIT_S, ForkGate
from e2edebug_exporters.full_queue_notice import FullQueueNotice
from e2edebug_exporters.giving_way import take_turns
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.metric_preferences import point_count
from e2edebug_exporters.metric_sources import MetricSources
from e2edebug_exporters.own_work import report_internal, suppressed
from e2edebug_exporters.rest_on_disk import ends_within, put_rest_on_disk
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.self_metrics import SelfMetrics
from e2edebug_exporters.span_metrics import SpanMetrics
from e2edebug_exporters.spool.opening import remembered_configuration_of, spool_of
from e2edebug_exporters.spool_relief import SpoolRelief
from e2edebug_exporters.store_connection import StoreConnection
from e2edebug_exporters.synchronous import SynchronousSink
from e2edebug_exporters.wake_up import WakeUp
from e2edebug_exporters.workflow_timeouts import WorkflowTimeouts
from e2edebug_exporters.writing_thread import WritingThread

WRITE_TIMEOUT_S: Final = 30.0
"""For all tries of one batch together."""
_BATCH_BYTES: Final = 8 * 1024 * 1024
_FLUSH_RETRY_S: Final = 0.25
_THREAD_CHECK_S: Final = 0.02
_LOADS_IN_A_ROW: Final = 64
_DELIVERY_S: Final = 0.25
"""How long rows are sent at a stretch: a replay of hours must not keep metrics, flushes and chores waiting."""

logger = logging.getLogger("e2edebug.pipeline")


class Pipeline:
    """Takes spans, logs and metrics, and writes them in the background.

    store: a database URL, an engine as an address, or a StoreConnection. resource: whom metrics about this pipeline
    belong to, by default that of the spans. clock, jitter: replaced by tests.
    """

    def __init__(
        self,
        store: StoreConnection | Engine | URL | str,
        config: Config,
        *,
        resource: Resource | None = None,
        make_mapper: Callable[[], RowMapper] | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._store = store if isinstance(store, StoreConnection) else StoreConnection.of(store, config)
        self._make_mapper = make_mapper or (lambda: mapper_of(config, self.configuration))
        self._clock = clock
        self._jitter = jitter
        self.configuration = UNCHANGED
        """What an operator has set in the store."""
        self.ledger = Ledger()
        self.span_metrics = SpanMetrics()
        self._self_metrics = SelfMetrics(self.ledger, resource=lambda: resource or self.span_metrics.resource)
        self._metrics = MetricSources(self.put_metrics, interval_s=config.metric_interval_s, clock=clock)
        self._metrics.add(self.span_metrics.collect)
        self._metrics.add(self._self_metrics.collect)
        self._chores: list[Callable[[], None]] = []
        self._queue = BoundedQueue(
            max_items=config.queue_max_items, max_bytes=config.queue_max_bytes, ledger=self.ledger
        )
        self._spool = spool_of(config, self._store, self.ledger)
        self._remembered = remembered_configuration_of(config, self._store)
        self._known_configuration: RuntimeConfiguration | None = None
        """What a forked child begins with."""
        self._is_spool_first = config.durability is Durability.SPOOL_FIRST and self._spool is not None
        self._batch_max_items = config.batch_max_items
        self._is_closed = False
        self._sink: SynchronousSink | None = None
        self._begin()
        process_lifecycle.watch(self)

    def _begin(self) -> None:
        """Set up what a process does not inherit from its parent."""
        self._pid = os.getpid()
        self._lock = threading.RLock()
        """For shutting down, which a signal handler may do while the code it interrupted is at it."""
        self._gate = ForkGate()
        self._wake = WakeUp()
        self._thread = WritingThread(self._work, self.ledger.note_error)
        self._flushes = FlushRequests()
        self._end = EndTime(self._config.exit_timeout_s, has_disk=self._spool is not None, clock=self._clock)
        self._is_abandoned = False
        self._is_server_in_use = False
        """A batch went to a server, so that no import is left to be done."""
        self._is_on_network = False
        self._full_queue = FullQueueNotice(self._clock)
        self._has_more_to_send = False
        self._metrics.begin()
        self._configuration_poll = ConfigurationPoll(
            self._store, known=self._known_configuration, remembered=self._remembered, clock=self._clock
        )
        self._timeouts = WorkflowTimeouts(self._store, timeout_s=self._config.workflow_timeout_s, clock=self._clock)
        self._delivery = Delivery(
            self._store,
            make_mapper=self._make_mapper,
            ledger=self.ledger,
            auto_migrate=self._config.auto_migrate,
            spool=self._spool,
            is_spool_first=self._is_spool_first,
            clock=self._clock,
            sleep=self._pause,
            jitter=self._jitter,
        )
        self._relief = SpoolRelief(
            self._delivery.store_calls, self._spool_meanwhile, interval_s=self._config.flush_interval_s
        )

    # What the application's threads call.

    def put_span(self, span: ReadableSpan) -> None:
        """Take over a span, ended or just begun. Never raises, never waits for the store."""
        try:
            if self._sink is not None or self._is_closed or self._pid != os.getpid():
                self._put(Kind.SPAN, span, 1, span_bytes, rank_of_span(span))
                return
            waiting = self._queue.put_span(span)
            if waiting < 0:
                self._full_queue.has_dropped = True
            if self._thread.running is None:
                self._ensure_thread()
            elif waiting < 0 or waiting >= self._batch_max_items:
                self._wake_for_batch()
        except Exception as error:  # noqa: BLE001 # the application's span must end in peace
            internal_error("queue an item", error)

    def put_log(self, record: ReadableLogRecord) -> None:
        """Take over a log record. Never raises, never waits for the store."""
        self._put(Kind.LOG, record, 1, log_bytes, Rank.ERROR)

    def put_metrics(self, data: MetricsData) -> None:
        """Take over metric data points. Never raises, never waits for the store."""
        rows = point_count(data) if self.configuration.is_monitoring else 0
        if rows:
            self._put(Kind.METRICS, data, rows, lambda _: metrics_bytes(rows), Rank.METRICS)

    def refuse(self, rows: int, reason: str) -> None:
        """Count rows that somebody handed over and that were not taken."""
        if self._sink is None:
            self.ledger.refuse(rows, reason)

    @property
    def keeps_what_comes(self) -> bool:
        """Whether what is put in now is kept for a store that answers later, if it does not answer now."""
        if self._sink is not None:
            return True
        return not self._is_closed and (not self._delivery.is_store_away or self._delivery.can_spool)

    def has_room_for(self, items: int, size_bytes: int) -> bool:
        """Say whether so many more fit into the half of the queue that guests may fill.

        What the application itself records has the other half: it is not pushed out by what others send.
        """
        if self._sink is not None:
            return True
        config = self._config
        return (len(self._queue) + items) * 2 <= config.queue_max_items and (
            self._queue.size_bytes + size_bytes
        ) * 2 <= config.queue_max_bytes

    def add_metric_source(self, collect: Callable[[], MetricsData | None]) -> None:
        """Ask *collect* for metrics at each metric interval, flush, fork and exit; it may also put them itself."""
        self._metrics.add(collect)

    def add_chore(self, run_if_due: Callable[[], None]) -> None:
        """Call *run_if_due* from this pipeline's thread at every flush interval, as long as the store answers.

        It must return at once: rows wait for it. What it raises is reported, and costs neither rows nor the other chores.
        """
        self._chores.append(run_if_due)

    def flush(self, timeout_s: float) -> bool:
        """Write what was emitted before this call, metrics of this moment included.

        Returns True once all of it is accounted for (stored, found in the store, or dropped and counted), False after
        *timeout_s* otherwise. Rows on disk are safe, and not in the store: for them it is False.
        """
        return self._flush(FlushRequest(), timeout_s)

    def _flush(self, flush: FlushRequest, timeout_s: float) -> bool:
        if self._thread.is_this():
            return False
        if self._sink is not None:
            self._metrics.collect()
            self._sink.write()
            return True
        if self._is_closed:
            reading = self.ledger.read()
            return reading.queued + reading.spooled == 0
        self._flushes.add(flush)
        try:
            self._ensure_thread()
            self._wake.set()
            deadline = time.monotonic() + timeout_s
            while not flush.done.wait(max(0.0, min(_THREAD_CHECK_S, deadline - time.monotonic()))):
                if self._thread.is_impossible:  # which shows a moment after it was to be started
                    self._work_here()
                    break
                if time.monotonic() >= deadline:
                    break
            return flush.done.is_set()
        finally:
            self._flushes.remove(flush)

    def flush_at_exit(self) -> bool:
        """Flush within the store's share of `exit_timeout_s`, of which all callers of one exit use up their part."""
        with self._end.used_for_store() as timeout_s:
            return self._flush(FlushRequest(is_for_exit=True), timeout_s)

    def shutdown(self, timeout_s: float | None = None, *, is_discarding: bool = False) -> bool:
        """Write what waits, then take nothing more. What the store has not taken within *timeout_s* goes to disk.

        timeout_s: default the setting `exit_timeout_s`. Without a spool the rest is dropped as `shutdown`, and with
        *is_discarding* it is dropped in any case. Returns whether nothing was dropped.
        """
        if self._thread.is_this():
            return False
        if timeout_s is None:
            timeout_s = self._end.left_s
        with self._lock:
            if self._is_closed:
                return True
            has_disk = self._spool is not None and not is_discarding
            self._end.begin(timeout_s, is_spooling=has_disk)
        self._ensure_thread()
        while self._thread.is_starting and not self._end.is_over:
            time.sleep(0.0005)
        if self._thread.is_impossible:
            self._work_here()
        thread = self._thread.latest
        self._wake.set()
        if thread is not None:
            with suppress(RuntimeError):  # another thread is about to start it
                thread.join(self._end.store_stops_in_s)
        return self._close(thread, is_spooling=has_disk)

    def divert(self, sink: SynchronousSink) -> None:
        """Write nothing in the background any more: *sink* takes everything, in the thread that recorded it."""
        self.shutdown(0.0, is_discarding=True)
        self._sink = sink

    def write_diverted(self) -> None:
        """Write what the sink holds, in this thread."""
        if self._sink is not None:
            self._sink.write()

    def stats(self) -> dict[str, Any]:
        """Return the ledger as a plain dict, with what the queue and the store are doing."""
        return self.ledger.stats() | {
            "queue_bytes": self._queue.size_bytes,
            "state": self._delivery.state.value,
            "store_away": self._delivery.is_store_away,
            "spool": None if self._spool is None else self._spool.stats(),
            "pid": os.getpid(),
        }

    def _put(self, kind: Kind, payload: Any, rows: int, measure: Callable[[Any], int], rank: Rank) -> None:
        try:
            if self._sink is not None:
                self._sink.take(kind, payload, rows)
                return
            if self._pid != os.getpid():  # forked in C, as uWSGI does, where no hook of ours ran
                self.after_fork_in_child()
            if self._is_closed:
                self.ledger.refuse(rows, SHUTDOWN)
                return
            if self._queue.put(kind, payload, rows=rows, size_bytes=measure(payload), rank=rank):
                self._full_queue.has_dropped = True
            if self._thread.running is None:
                self._ensure_thread()
            else:
                self._wake_for_batch()
        except Exception as error:  # noqa: BLE001 # the application's span must end in peace
            internal_error("queue an item", error)

    def _wake_for_batch(self) -> None:
        """Wake the thread if a whole batch waits, and it can take one."""
        if len(self._queue) >= self._batch_max_items and (
            not self._delivery.is_holding or (self._is_pressed() and self._delivery.can_spool)
        ):
            self._wake.set()

    # The thread.

    def _ensure_thread(self) -> None:
        if not self._is_closed:
            self._thread.ensure()

    def _work_here(self) -> None:
        """Do the thread's work in the calling one, where none can be started."""
        with suppressed():
            self._configure(self._configuration_poll.recall())
            self._collect_due_metrics()
            self._deliver()
            while self._has_more_to_send:
                self._deliver()

    def _work(self) -> None:
        while not self._is_abandoned and self._thread.is_this():
            self._wake.wait(self._idle_s())
            # Looked at before the metrics are collected: a shutdown that begins while a batch is written gets a round of
            # its own. Without it the durations of the last interval were lost (half of all that a short run counted).
            is_last_round = self._end.has_begun
            try:
                with self._gate.working():
                    if not self._thread.is_this():
                        return
                    self._full_queue.say_if_due()
                    self._configure(self._configuration_poll.recall())
                    if self._configuration_poll.known is not None:
                        self._start_relief()
                    if not self._delivery.is_store_away:
                        with self._delivery.store_calls.inside():
                            found = self._configuration_poll.run_if_due()
                        self._configure(found)
                    self._start_relief()
                    self.span_metrics.count_ended()
                    self._collect_due_metrics()
                    self._deliver()
                    if not self._delivery.is_store_away:
                        self._do_chores()
            except BaseException as error:  # noqa: BLE001 # the one thread there is must survive any batch
                self._has_more_to_send = False
                self._delivery.abandon(INTERNAL_ERROR)
                self._queue.settle()
                self.ledger.note_error(f"{type(error).__name__}: {error}")
                report_internal("write a batch", error)
            if is_last_round and (self._is_empty() or self._end.is_over_for_store):
                return

    def _do_chores(self) -> None:
        with self._delivery.store_calls.inside():
            for chore in (self._timeouts.run_if_due, *self._chores):
                try:
                    chore()
                except Exception as error:  # noqa: BLE001 # the batch that waits to be sent again has no part in it
                    self.ledger.note_error(f"{type(error).__name__}: {error}")
                    report_internal("do a chore", error)

    def _start_relief(self) -> None:
        """Called once the configuration is known or was asked for: what an operator hides is not to be put on disk."""
        if self._is_spool_first:
            try:
                self._relief.start()
            except RuntimeError as error:  # the interpreter ends
                self.ledger.note_error(str(error))

    def _spool_meanwhile(self) -> bool:
        """Take in one batch, in the relief's thread. Returns whether more may wait."""
        try:
            with suppressed():
                return not self._is_abandoned and self._take_in_batch() > 0
        except BaseException as error:  # noqa: BLE001 # this thread, too, must survive any batch; it was counted as dropped
            self.ledger.note_error(f"{type(error).__name__}: {error}")
            report_internal("spool a batch", error)
            return False

    def _configure(self, found: RuntimeConfiguration) -> None:
        """Take over what an operator has set. Before anything is mapped, so that what is to be hidden is."""
        before = self.configuration
        if found == before:
            return
        self.configuration = found
        self.span_metrics.keeps_trace = found.keeps_trace if found.limits_tracing else None
        self._delivery.map_anew()
        logger.info("the configuration in the store changed: %s", ", ".join(found.differences(before)))

    def _is_pressed(self) -> bool:
        """Whether the queue fills up, so that waiting for the store would cost rows."""
        return len(self._queue) * 2 > self._config.queue_max_items

    def _idle_s(self) -> float:
        if self._has_more_to_send:
            return 0.0
        now = self._clock()
        pause = min(self._config.flush_interval_s, self._metrics.due_in_s)
        if not self._delivery.is_store_away:
            pause = min(pause, self._configuration_poll.due_in_s)
        else:  # nobody asks for the configuration meanwhile, however long that has been due
            until_attempt = self._delivery.next_attempt_at - now
            if self._flushes or self._end.has_begun:
                until_attempt = min(until_attempt, _FLUSH_RETRY_S)
            pause = min(pause, until_attempt) if self._delivery.may_load else until_attempt
        return max(0.0, min(pause, self._end.stops_in_s))

    def _collect_due_metrics(self) -> None:
        waiting = self._flushes.without_metrics()
        self._metrics.collect_if(bool(waiting) or self._end.has_begun)
        for flush in waiting:
            flush.up_to = self._queue.last_sequence()

    def _deliver(self) -> None:
        """Take in what waits and send it, until there is nothing to do or the process wants to fork.

        What comes meanwhile has its turn when it is a batch too, or the next time: while a site serves requests there is
        always a handful, and with one transaction for each handful (1.25 a request, seen) the thread never came to rest.
        """
        self._has_more_to_send = False
        due = len(self._queue)
        until = time.monotonic() + _DELIVERY_S
        while not (self._is_abandoned or self._gate.is_wanted):
            if time.monotonic() >= until:
                self._has_more_to_send = True
                break
            take_turns(self._thread.is_this() and not self._is_pressed() and not self._end.has_begun)
            due -= self._take_in(due)
            self._is_on_network = self._is_server_in_use
            try:
                may_go_on = self._delivery.advance(
                    deadline=self._attempt_deadline(),
                    is_awaited=self._is_awaited(),
                    is_pressed=self._is_pressed(),
                    is_stopping=self._is_ending(),
                )
            finally:
                self._is_on_network = False
            if not self._delivery.is_holding:
                self._queue.settle()
            if not may_go_on:
                break
            self._is_server_in_use = self._store.is_server
            self._flushes.answer(self._queue, self._delivery)
        self._flushes.answer(self._queue, self._delivery)

    def _is_ending(self) -> bool:
        """Whether whoever waits for the rows is content to have them on disk."""
        return self._is_awaited() and self._flushes.are_content_with_disk()

    def _take_in(self, due: int) -> int:
        """Take in *due* items, and others as far as they cannot wait. Returns how many it took."""
        taken = 0
        for _ in range(_LOADS_IN_A_ROW):
            if taken >= due and not self._is_batch_due():
                break
            items = self._take_in_batch()
            if not items:
                break
            taken += items
        return taken

    def _is_batch_due(self) -> bool:
        return self._is_awaited() or len(self._queue) >= self._batch_max_items

    def _is_awaited(self) -> bool:
        """Whether somebody waits for the rows."""
        return bool(self._flushes) or self._end.has_begun

    def _take_in_batch(self) -> int:
        if not self._delivery.may_load or self._gate.is_wanted:
            return 0
        items = self._queue.take(self._batch_max_items, _BATCH_BYTES)
        if not items:
            return 0
        self._delivery.load(items)
        if not self._delivery.is_holding:
            self._queue.settle()
        return len(items)

    def _attempt_deadline(self) -> float:
        return self._clock() + min(WRITE_TIMEOUT_S, self._end.store_stops_in_s)

    def _is_empty(self) -> bool:
        return not self._delivery.is_holding and len(self._queue) == 0

    def _pause(self, seconds: float) -> None:
        """Wait between two tries of a batch, but no longer than a shutdown allows."""
        if not self._end.has_begun:
            time.sleep(seconds)

    def _close(self, thread: threading.Thread | None, *, is_spooling: bool) -> bool:
        with self._lock:
            self._is_closed = True
            self._is_abandoned = True
        self._delivery.store_calls.close()
        is_disk_at_rest = True
        if is_spooling and self._is_work_mine(thread):
            # A disk that works is looked at for the time after each batch: the last one may come to its end.
            is_disk_at_rest = ends_within(self._end.stops_in_s + _FLUSH_RETRY_S, self._put_rest_on_disk)
        self._queue.close()
        self.ledger.refuse(self.span_metrics.close(), SHUTDOWN)
        if is_disk_at_rest and (thread is None or not thread.is_alive()):
            self._delivery.abandon(SHUTDOWN)
            self._store.close()
        # Else a thread is inside a call to the store or the disk. Whether its batch still arrives cannot be told: it counts
        # as lost.
        self.ledger.close(SHUTDOWN)
        process_lifecycle.forget(self)
        self._flushes.answer(self._queue, self._delivery)
        with suppressed():
            self._full_queue.say_if_due()
        return SHUTDOWN not in self.ledger.read().dropped

    def _is_work_mine(self, thread: threading.Thread | None) -> bool:
        """Whether this thread may go on in place of *thread*, which has ended, or waits for a store that may never answer."""
        while thread is not None and thread.is_alive() and not self._delivery.take_over():
            if self._end.is_over:
                return False
            thread.join(_FLUSH_RETRY_S / 10)
        return True

    def _put_rest_on_disk(self) -> None:
        spool = self._spool
        assert spool is not None  # the caller looked
        self._configure(self._configuration_poll.recall())  # no thread may have come that far
        put_rest_on_disk(
            self._queue,
            self._delivery,
            spool,
            self.ledger,
            make_mapper=self._make_mapper,
            batch_max_items=self._config.batch_max_items,
            batch_max_bytes=_BATCH_BYTES,
            is_time_over=lambda: self._end.is_over,
        )

    # Forks and exits, called by process_lifecycle.

    def before_fork(self) -> None:
        """Hand the metrics so far to the parent's queue and bring the thread to rest; the child makes locks of its own."""
        if not self._is_closed:
            with suppressed():
                self._metrics.collect()
        # A server may take its time, and a child does nothing with the parent's half of a conversation.
        is_at_rest = self._gate.close(wait_s=0.0 if self._is_on_network else WAIT_S)
        self._relief.gate.close()
        if is_at_rest:
            self._store.leave_file()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._relief.gate.open()
        self._gate.open()
        self._wake.set()

    def after_fork_in_child(self) -> None:
        """Begin empty: what waits belongs to the parent, and so does its connection."""
        self._queue.reset()
        self.ledger.reset()
        self.span_metrics.reset()
        self._self_metrics.reset()
        self._store.after_fork_in_child()
        if self._spool is not None:
            self._spool.after_fork_in_child()
        self._known_configuration = self._configuration_poll.known
        self._begin()

    def exit(self) -> None:
        """Shut down within `exit_timeout_s`."""
        self.shutdown()
