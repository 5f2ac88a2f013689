"""Where spans, logs and metrics wait for the writing thread: bounded in items and in bytes.

Putting something in takes no lock and never fails: a signal handler or a finaliser may end a span in the middle of any
line of ours, on the very thread that would hold the lock it waits for. What does not fit pushes out what says least: the
oldest plain span first, then metrics, then errors, and last of all what belongs to a workflow that failed.
"""

import enum
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count, islice
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from e2edebug.policy.attributes import WORKFLOW_STATUS
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.recording.span import NOTHING_PREPARED, UNSET, RecordingSpan
from e2edebug_exporters.span_reading import plain_mapping, raw_attributes, trace_number

QUEUE_FULL: Final = "queue_full"
SHUTDOWN: Final = "shutdown"

_SPAN_BYTES: Final = 2900
"""RAM of a queued span with 8 attributes (measured, reference/otel-python, section 2); long values come on top."""
_LONG_TEXT: Final = 64
_POINT_BYTES: Final = 1500
_UNKNOWN_VALUE_BYTES: Final = 200
_FAILED_TRACES: Final = 1_000
_ERROR: Final = StatusCode.ERROR  # a member looked up on its enum class costs more than a global


class Kind(enum.Enum):
    """What an item is."""

    SPAN = "span"
    LOG = "log"
    METRICS = "metrics"


class Rank(enum.IntEnum):
    """What is dropped first; in this order."""

    PLAIN = 0
    METRICS = 1
    ERROR = 2
    FAILED_WORKFLOW = 3
    """The root of a workflow that failed: it saves what waits of its trace as well."""


Entry = tuple[int, Kind, Any, int, int]
"""One thing that waits: its sequence, its kind, the thing itself, how many rows it counts in the ledger, its bytes.

A plain tuple, whose fields are taken out by unpacking: one with names takes three times as long to be made, on the
application's thread.
"""

Item = Entry | RecordingSpan
"""What waits. A span of ours that ended well has room for its sequence and its bytes, and waits as it is: an entry for
each would be half of what Python's garbage collector visits here, and what waits while it runs it visits again and
again, each time with all threads of the application standing still.
"""


class BoundedQueue:
    """First in, first out, in a lane for each rank. Safe for threads and handlers.

    One thread takes. The application only appends to a deque and pops from it, each one call into C, which no other
    thread and no signal handler interrupts; the books are kept by whoever takes or reads, with the ledger's lock.
    """

    def __init__(self, *, max_items: int, max_bytes: int, ledger: Ledger) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._ledger = ledger
        self._clear()
        ledger.stands_behind(self._count_waiting)

    def _clear(self) -> None:
        self._plain: deque[Item] = deque()
        self._metrics: deque[Entry] = deque()
        """Only these count for more than one row."""
        self._errors: deque[Item] = deque()
        self._failed: deque[Item] = deque()
        self._saved: deque[Item] = deque()
        """Spans of failed workflows that were next to be pushed out; two threads may have put them in out of order."""
        self._lanes = (self._plain, self._metrics, self._errors, self._failed, self._saved)
        self._failed_traces: set[int] = set()
        self._failed_traces_before: set[int] = set()
        self._size_bytes = 0
        self._sequence = count(1)
        self._pushed_out = count()
        """Gives how many items were dropped so far; being asked counts as well."""
        self._next_pushed_out = 0
        self._taken_from: int | None = None
        self._is_closed = False

    def reset(self) -> None:
        """Begin again, in a forked child: what waited belongs to the parent, which writes it."""
        self._clear()

    def put(self, kind: Kind, payload: Any, *, rows: int, size_bytes: int, rank: Rank) -> bool:
        """Add an item; what no longer fits is dropped and counted. Returns whether something was dropped."""
        self._lanes[rank].append((next(self._sequence), kind, payload, rows, size_bytes))
        if rank == _FAILED_WORKFLOW:
            self._remember_failed(trace_number(payload))
        self._size_bytes += size_bytes  # no handler and no other thread comes between reading and writing a number
        return self._drop_what_is_too_much()

    def put_span(self, span: ReadableSpan) -> int:
        """Add a span as put() does. Returns how many items wait, -1 if something was dropped.

        In one call for most spans: this is done on the application's thread.
        """
        attributes: Any
        if type(span) is RecordingSpan:
            prepared, attributes = span._prepared, span._own
        else:
            prepared, attributes = NOTHING_PREPARED, getattr(span, "_attributes", None)
        if type(attributes) is not dict or span._status is not UNSET or span._events:
            has_dropped = self.put(_SPAN, span, rows=1, size_bytes=span_bytes(span), rank=rank_of_span(span))
            return -1 if has_dropped else len(self)
        size_bytes = _SPAN_BYTES  # what is prepared many spans have in common
        for value in attributes.values():
            if type(value) is str:
                if len(value) > _LONG_TEXT:
                    size_bytes += len(value)
            elif type(value) not in _SMALL:
                size_bytes += _value_bytes(value)
        is_failed = "failed" in (attributes.get(WORKFLOW_STATUS), prepared.get(WORKFLOW_STATUS))
        lane = self._failed if is_failed else self._plain
        # A span that was put in before, here or into another queue, keeps the place that it has there. Queues take one
        # after the other, from the one thread that ends the span.
        if type(span) is RecordingSpan and not span._queue_sequence:
            span._queue_bytes = size_bytes
            span._queue_sequence = next(self._sequence)
            lane.append(span)
        else:
            lane.append((next(self._sequence), _SPAN, span, 1, size_bytes))
        if lane is not self._plain:
            self._remember_failed(trace_number(span))
        self._size_bytes += size_bytes  # as in put()
        waiting = len(self._plain) + len(self._metrics) + len(self._errors) + len(self._failed) + len(self._saved)
        if self._size_bytes <= self._max_bytes and waiting <= self._max_items:
            return waiting
        return -1 if self._drop_what_is_too_much() else waiting

    def _drop_what_is_too_much(self) -> bool:
        if self._size_bytes <= self._max_bytes and len(self) <= self._max_items:
            return False
        while (self._size_bytes > self._max_bytes or len(self) > self._max_items) and len(self):
            self._push_out()
        return True

    def _remember_failed(self, trace_id: int) -> None:
        self._failed_traces.add(trace_id)
        if len(self._failed_traces) > _FAILED_TRACES:
            self._failed_traces_before, self._failed_traces = self._failed_traces, set()

    def _push_out(self) -> None:
        """Drop the oldest item of the least important lane and count it, or save it because its workflow failed."""
        try:
            if self._plain:
                self._push_out_of(self._plain)
            elif self._metrics:
                victim = self._metrics.popleft()
                self._size_bytes -= victim[4]
                self._ledger.refuse(victim[3], QUEUE_FULL)
            elif self._errors:
                self._push_out_of(self._errors)
            else:
                self._drop_from(self._saved or self._failed)
        except IndexError:  # another thread was faster
            return

    def _push_out_of(self, lane: deque[Item]) -> None:
        if self._is_of_failed_workflow(lane[0]):
            # Moved in one call, as in _drop_from(): nothing is lost when an exception comes in between.
            self._saved.extend(islice(iter(lane.popleft, None), 1))
        else:
            self._drop_from(lane)

    def _drop_from(self, lane: deque[Item]) -> None:
        # In one call, zip() pops the item and counts it; the counter is the books of whoever reads next.
        oldest: Iterator[Item] = iter(lane.popleft, None)
        size_bytes = _bytes_of(next(zip(oldest, self._pushed_out, strict=False))[0])
        self._size_bytes -= size_bytes

    def _is_of_failed_workflow(self, item: Item) -> bool:
        if not self._failed_traces and not self._failed_traces_before:
            return False
        what = item if type(item) is RecordingSpan else item[2]
        if not isinstance(what, ReadableSpan):
            return False
        trace_id = trace_number(what)
        return trace_id in self._failed_traces or trace_id in self._failed_traces_before

    def __len__(self) -> int:
        plain, metrics, errors, failed, saved = self._lanes
        return len(plain) + len(metrics) + len(errors) + len(failed) + len(saved)

    @property
    def size_bytes(self) -> int:
        """An estimate of the memory that waits here."""
        return max(0, self._size_bytes)

    def take(self, max_items: int, max_bytes: int) -> list[Item]:
        """Remove and return the oldest items, at least one if there is one. They stay unsettled until `settle()`."""
        taken: list[Item] = []
        size_bytes = rows = 0
        with self._ledger.lock:
            self._book_what_was_pushed_out()
            plain, metrics, errors, failed, saved = self._lanes
            while len(taken) < max_items and (not taken or size_bytes < max_bytes):
                try:  # as _pop_oldest() does nearly always
                    item = self._pop_oldest() if metrics or errors or failed or saved else plain.popleft()
                except IndexError:
                    item = self._pop_oldest()
                if item is None:
                    break
                if not taken:
                    self._taken_from = sequence_of(item)
                if type(item) is RecordingSpan:
                    rows += 1
                    size_bytes += item._queue_bytes
                else:
                    rows += item[3]
                    size_bytes += item[4]
                taken.append(item)
            self._ledger.emit(rows)
            if len(self):
                self._size_bytes -= size_bytes
            else:
                self._size_bytes = 0  # what a put interrupted by an exception left behind ends here
        return taken

    def _pop_oldest(self) -> Item | None:
        plain, metrics, errors, failed, saved = self._lanes
        while True:
            try:
                if not (metrics or errors or failed or saved):  # as nearly always
                    return plain.popleft() if plain else None
                lanes = [lane for lane in self._lanes if lane]
                if lanes:
                    return min(lanes, key=lambda lane: sequence_of(lane[0])).popleft()
            except IndexError:  # pushed out meanwhile
                continue

    def settle(self) -> None:
        """What was taken last is accounted for."""
        self._taken_from = None

    def close(self) -> None:
        """Drop what waits and whatever comes: nobody takes it any more."""
        with self._ledger.lock:
            self._is_closed = True
            self._count_waiting()

    def last_sequence(self) -> int:
        """Return a number that no item put in so far exceeds."""
        return next(self._sequence)

    def is_settled_up_to(self, sequence: int) -> bool:
        """Say whether every item up to *sequence* has been accounted for."""
        with self._ledger.lock:  # an item that is just being taken stands in neither place
            if self._taken_from is not None and self._taken_from <= sequence:
                return False
            for lane in self._lanes:
                try:
                    if sequence_of(lane[0]) <= sequence:
                        return False
                except IndexError:
                    continue
            return all(sequence_of(item) > sequence for item in self._saved.copy())

    def _count_waiting(self) -> int:
        """Return how many rows wait; the ledger asks, with its lock held."""
        self._book_what_was_pushed_out()
        if self._is_closed:  # a put may have passed the door while it was closing
            while (item := self._pop_oldest()) is not None:
                self._ledger.refuse(rows_of((item,)), SHUTDOWN)
            self._size_bytes = 0
            return 0
        singles = len(self._plain) + len(self._errors) + len(self._failed) + len(self._saved)
        return singles + sum(item[3] for item in self._metrics.copy())

    def _book_what_was_pushed_out(self) -> None:
        number = next(self._pushed_out)
        pushed_out, self._next_pushed_out = number - self._next_pushed_out, number + 1
        if pushed_out:
            self._ledger.refuse(pushed_out, QUEUE_FULL)


def sequence_of(item: Item) -> int:
    """Return the place of *item* in the order in which things were put in."""
    return item._queue_sequence if type(item) is RecordingSpan else item[0]


def rows_of(items: Iterable[Item]) -> int:
    """Return how many rows *items* count in the ledger."""
    return sum(1 if type(item) is RecordingSpan else item[3] for item in items)


def _bytes_of(item: Item) -> int:
    return item._queue_bytes if type(item) is RecordingSpan else item[4]


_SPAN: Final = Kind.SPAN
_PLAIN: Final = Rank.PLAIN  # a member looked up on its enum class costs more than a global
_FAILED_WORKFLOW: Final = Rank.FAILED_WORKFLOW


def rank_of_span(span: ReadableSpan) -> Rank:
    """Return how late *span* is dropped: a failed root, or a workflow that was said to fail, comes last."""
    if span.status.status_code is _ERROR:
        parent = span.parent
        return _FAILED_WORKFLOW if parent is None or parent.is_remote else Rank.ERROR
    if raw_attributes(span).get(WORKFLOW_STATUS) == "failed":
        return _FAILED_WORKFLOW
    return Rank.ERROR if span.events else _PLAIN


def span_bytes(span: ReadableSpan) -> int:
    """Estimate what *span* keeps in memory; long texts count in full, whatever their number."""
    size = _SPAN_BYTES
    for value in raw_attributes(span).values():
        if type(value) is str:
            if len(value) > _LONG_TEXT:
                size += len(value)
        elif type(value) not in _SMALL:
            size += _value_bytes(value)
    for event in span.events:
        size += _UNKNOWN_VALUE_BYTES
        for value in plain_mapping(event.attributes).values():
            size += _value_bytes(value)
    return size


def log_bytes(record: ReadableLogRecord) -> int:
    """Estimate what *record* keeps in memory."""
    size = _SPAN_BYTES + _value_bytes(record.log_record.body)
    for value in plain_mapping(record.log_record.attributes).values():
        size += _value_bytes(value)
    return size


def metrics_bytes(points: int) -> int:
    """Estimate what *points* data points keep in memory."""
    return points * _POINT_BYTES


_SMALL: Final = frozenset({int, float, bool, type(None)})


def _value_bytes(value: object, depth: int = 3) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list | tuple) and depth:
        return sum(_value_bytes(item, depth - 1) for item in value[:1000]) + 8 * len(value)
    if isinstance(value, dict) and depth:
        return sum(_value_bytes(item, depth - 1) for item in list(value.values())[:1000]) + 100 * len(value)
    return _UNKNOWN_VALUE_BYTES
