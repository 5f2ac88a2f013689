"""Those who wait until everything that was recorded before is accounted for."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field

from e2edebug_exporters.bounded_queue import BoundedQueue
from e2edebug_exporters.delivery import Delivery


@dataclass(slots=True, eq=False)
class FlushRequest:
    """One who waits."""

    is_for_exit: bool = False
    """The process ends: what is on disk is as good as stored."""
    up_to: int | None = None
    """Sequence of the last item that counts; None until the metrics of this moment have been collected."""
    spool_mark: int | None = None
    """Number of the last frame that counts; None until every item has left the queue."""
    done: threading.Event = field(default_factory=threading.Event)


class FlushRequests:
    """Asked by any thread, answered by the writing one. Takes no lock: a signal handler may interrupt its own thread."""

    def __init__(self) -> None:
        self._waiting: list[FlushRequest] = []

    def add(self, request: FlushRequest) -> None:
        """Let *request* wait."""
        self._waiting.append(request)

    def remove(self, request: FlushRequest) -> None:
        """Let *request* wait no longer."""
        with suppress(ValueError):  # a fork in a signal handler has begun a new list
            self._waiting.remove(request)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def are_content_with_disk(self) -> bool:
        """Whether nobody waits for the store."""
        return all(request.is_for_exit for request in self._waiting.copy())

    def without_metrics(self) -> list[FlushRequest]:
        """Return those that want the metrics of this moment as well, and do not have them."""
        return [request for request in self._waiting.copy() if request.up_to is None]

    def answer(self, queue: BoundedQueue, delivery: Delivery) -> None:
        """End the waiting of those whose rows are accounted for."""
        for request in self._waiting.copy():
            if request.up_to is None or not queue.is_settled_up_to(request.up_to):
                continue
            if request.spool_mark is None:
                request.spool_mark = delivery.spool_mark()
            if request.is_for_exit or delivery.is_replayed_up_to(request.spool_mark):
                request.done.set()
