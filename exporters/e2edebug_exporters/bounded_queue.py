"""Where spans, logs and metrics wait for the writing thread: bounded in items and in bytes.

Putting something in takes one short lock and never fails. What does not fit pushes out the oldest span that is not an
error; errors and metrics go last, because one of them says more than the hundredth span of the same kind.
"""

import enum
import threading
from collections import deque
from typing import Any, Final, NamedTuple

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.span_reading import plain_mapping, raw_attributes

QUEUE_FULL: Final = "queue_full"
SHUTDOWN: Final = "shutdown"

_SPAN_BYTES: Final = 2900
"""RAM of a queued span with 8 attributes (measured, reference/otel-python, section 2); long values come on top."""
_LONG_TEXT: Final = 64
_POINT_BYTES: Final = 1500
_UNKNOWN_VALUE_BYTES: Final = 200
_ERROR: Final = StatusCode.ERROR  # a member looked up on its enum class costs more than a global


class Kind(enum.Enum):
    """What an item is."""

    SPAN = "span"
    LOG = "log"
    METRICS = "metrics"


class Item(NamedTuple):
    """One thing that waits."""

    sequence: int
    kind: Kind
    payload: Any
    rows: int
    """How many rows it counts in the ledger."""
    size_bytes: int


class BoundedQueue:
    """First in, first out, in two lanes: plain spans, and what is dropped last. Safe for threads."""

    def __init__(self, *, max_items: int, max_bytes: int, ledger: Ledger) -> None:
        self.lock = threading.Lock()
        """Held across a fork by process_lifecycle."""
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._ledger = ledger
        self._clear()

    def _clear(self) -> None:
        self._plain: deque[Item] = deque()
        self._kept: deque[Item] = deque()
        self._size_bytes = 0
        self._sequence = 0
        self._taken_from: int | None = None
        self._is_closed = False

    def reset(self) -> None:
        """Begin again with a new lock, in a forked child: what waited belongs to the parent, which writes it."""
        self.lock = threading.Lock()
        self._clear()

    def put(self, kind: Kind, payload: Any, *, rows: int, size_bytes: int, is_kept: bool) -> int:
        """Add an item; what no longer fits is dropped and counted. Returns how many rows were dropped."""
        self._ledger.emit(rows)
        dropped = 0
        with self.lock:
            is_closed = self._is_closed
            if not is_closed:
                self._sequence += 1
                lane = self._kept if is_kept else self._plain
                lane.append(Item(self._sequence, kind, payload, rows, size_bytes))
                self._size_bytes += size_bytes
                while self._size_bytes > self._max_bytes or len(self._plain) + len(self._kept) > self._max_items:
                    victim = (self._plain or self._kept).popleft()
                    self._size_bytes -= victim.size_bytes
                    dropped += victim.rows
        if is_closed:
            self._ledger.drop(rows, SHUTDOWN)
        elif dropped:
            self._ledger.drop(dropped, QUEUE_FULL)
        return dropped

    def __len__(self) -> int:
        return len(self._plain) + len(self._kept)

    @property
    def size_bytes(self) -> int:
        """An estimate of the memory that waits here."""
        return self._size_bytes

    def take(self, max_items: int, max_bytes: int) -> list[Item]:
        """Remove and return the oldest items, at least one if there is one. They stay unsettled until `settle()`."""
        taken: list[Item] = []
        size_bytes = 0
        with self.lock:
            kept, plain = self._kept, self._plain
            while (kept or plain) and len(taken) < max_items and (not taken or size_bytes < max_bytes):
                lane = kept if not plain or (kept and kept[0].sequence < plain[0].sequence) else plain
                item = lane.popleft()
                size_bytes += item.size_bytes
                taken.append(item)
            self._size_bytes -= size_bytes
            if taken:
                self._taken_from = taken[0].sequence
        return taken

    def settle(self) -> None:
        """What was taken last is accounted for."""
        with self.lock:
            self._taken_from = None

    def close(self) -> None:
        """Drop what waits and whatever comes: nobody takes it any more."""
        with self.lock:
            self._is_closed = True
            rows = sum(item.rows for lane in (self._plain, self._kept) for item in lane)
            self._plain.clear()
            self._kept.clear()
            self._size_bytes = 0
        self._ledger.drop(rows, SHUTDOWN)

    def last_sequence(self) -> int:
        """Return the number of the newest item ever put in."""
        with self.lock:
            return self._sequence

    def is_settled_up_to(self, sequence: int) -> bool:
        """Say whether every item up to *sequence* has been accounted for."""
        with self.lock:
            heads = [lane[0].sequence for lane in (self._plain, self._kept) if lane]
            if self._taken_from is not None:
                heads.append(self._taken_from)
        return not heads or min(heads) > sequence


def is_kept_span(span: ReadableSpan) -> bool:
    """Say whether *span* is dropped after plain ones: it failed, or carries an exception."""
    return span.status.status_code is _ERROR or bool(span.events)


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
