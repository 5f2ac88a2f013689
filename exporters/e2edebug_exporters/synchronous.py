"""Under a test runner nothing waits in a queue: what a test does is written before the test looks, or not at all."""

import os
import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy.self_report import internal_error
from e2edebug_exporters.bounded_queue import Item, Kind
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.row_assembly import assemble
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch

_MOST_ITEMS: Final = 20_000


class SynchronousSink:
    """Keeps what a unit of work records until its outermost span ends, then writes it in that thread.

    write: stores a batch and returns whether it could; False when this thread has no database (yet). What one thread
    cannot write waits for the next one that can, such as the test that reads.
    """

    def __init__(self, write: Callable[[RowBatch], bool], make_mapper: Callable[[], RowMapper]) -> None:
        self._write = write
        self._make_mapper = make_mapper
        self._mapper: RowMapper | None = None
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._is_writing = threading.local()
        self._pid = os.getpid()
        self.ledger = Ledger()
        self.is_open = False
        """Whether a test runs: what making its database records is nobody's."""

    def take(self, kind: Kind, payload: Any, rows: int) -> None:
        """Take an item over, and write if it completes something."""
        if not self.is_open:
            return
        # Our own statements record nothing. A query outside of any request is the test's own, not its application's.
        if getattr(self._is_writing, "now", False) or (kind is Kind.SPAN and _is_lone_query(payload)):
            return
        with self._lock:
            if len(self._items) < _MOST_ITEMS:
                self._items.append((0, kind, payload, rows, 0))
        if _completes_something(kind, payload):
            self.write()

    def write(self) -> None:
        """Write what was taken so far, if this thread can."""
        with self._lock:
            items, self._items = self._items, []
        if not items or getattr(self._is_writing, "now", False):
            return
        self._is_writing.now = True
        try:
            if self._mapper is None:
                self._mapper = self._make_mapper()
            is_written = self._write(assemble(items, self._mapper, self.ledger))
        except Exception as error:  # noqa: BLE001 # a test fails by what it asserts, not by its telemetry
            internal_error("write what a test recorded", error)
            is_written = True
        finally:
            self._is_writing.now = False
        if not is_written:
            with self._lock:
                self._items = items + self._items

    def open(self) -> None:
        """A test begins, without what one before it has left."""
        with self._lock:
            self._items = []
        self.is_open = True

    def close(self) -> None:
        """The test is over."""
        self.is_open = False


def _is_lone_query(span: Any) -> bool:
    return span.parent is None and span.kind is SpanKind.CLIENT and _DATABASE & span.attributes.keys() != set()


_DATABASE: Final = frozenset({"db.system", "db.system.name"})


def _completes_something(kind: Kind, payload: Any) -> bool:
    if kind is Kind.SPAN and isinstance(payload, ReadableSpan):
        is_outermost = payload.parent is None or payload.parent.is_remote
        if payload.end_time is not None and is_outermost:
            return True
    return not trace.get_current_span().is_recording()
