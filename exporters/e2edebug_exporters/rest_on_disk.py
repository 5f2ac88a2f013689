"""The last act of a process: what the store did not take in time goes to disk, for the next process."""

import threading
from collections.abc import Callable

from e2edebug.policy import thread_signals
from e2edebug_exporters.bounded_queue import SHUTDOWN, BoundedQueue
from e2edebug_exporters.delivery import Delivery
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.own_work import report_internal, suppressed
from e2edebug_exporters.row_assembly import assemble
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.spool.folder import SpoolUnusableError
from e2edebug_exporters.spool.spool import Spool


def put_rest_on_disk(
    queue: BoundedQueue,
    delivery: Delivery,
    spool: Spool,
    ledger: Ledger,
    *,
    make_mapper: Callable[[], RowMapper],
    batch_max_items: int,
    batch_max_bytes: int,
    is_time_over: Callable[[], bool],
) -> None:
    """Move the held batch and the queue to disk, until that is done or the time is over; then close the spool.

    Rows that the disk refuses are dropped as `shutdown`; what is left in the queue is its caller's.
    """
    if delivery.is_holding:
        delivery.give_up(SHUTDOWN)
    mapper: RowMapper | None = None
    while not is_time_over():
        items = queue.take(batch_max_items, batch_max_bytes)
        if not items:
            break
        # Not the mapper of the writing thread, which may be in the middle of something.
        mapper = mapper or make_mapper()
        batch = assemble(items, mapper, ledger)
        try:
            if len(batch):
                spool.append(batch)
            ledger.spool(len(batch))
        except SpoolUnusableError:
            ledger.drop(len(batch), SHUTDOWN)
            break
    spool.close()


def ends_within(time_s: float, put_on_disk: Callable[[], None]) -> bool:
    """Let a thread do it, which is left behind where the disk hangs. Returns whether it came to an end."""
    is_done = threading.Event()

    def work() -> None:
        try:
            with suppressed():
                put_on_disk()
        except Exception as error:  # noqa: BLE001 # the host is about to end
            report_internal("put what waits on disk", error)
        finally:
            is_done.set()

    try:
        thread_signals.start_thread(work)
    except RuntimeError:  # the interpreter ends, and starts none any more
        work()
    return is_done.wait(time_s)
