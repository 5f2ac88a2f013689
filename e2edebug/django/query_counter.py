"""How many queries a request sent, and how long they took, whether or not they are traced."""

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, Final

from django.db import connections
from django.db.backends.signals import connection_created

from e2edebug.policy.own_statements import is_own_statement

_DISPATCH_UID: Final = "e2edebug query counter"


class QueryCounter:
    """Counts from begin() to end(), in the threads too that an asynchronous request hands its queries to."""

    __slots__ = ("_token", "count", "duration_ms")

    def __init__(self) -> None:
        self.count = 0
        self.duration_ms = 0.0
        self._token: Token[QueryCounter | None] | None = None

    def begin(self) -> None:
        """Count what is executed in this context from here on."""
        self._token = _current.set(self)

    def end(self) -> None:
        """Count no more. Does nothing in a context that is not the one it began in."""
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:  # a coroutine that was thrown away is closed in another context
                pass
            self._token = None


_current: ContextVar[QueryCounter | None] = ContextVar("e2edebug_query_counter", default=None)


def _count(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    counter = _current.get()
    if counter is None or is_own_statement(sql):
        return execute(sql, params, many, context)
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        counter.count += 1
        counter.duration_ms += (time.perf_counter() - started) * 1000


def _watch(connection: Any, **_: Any) -> None:
    if _count not in connection.execute_wrappers:
        # In front: `with connection.execute_wrapper(...)` takes the last one out when it ends.
        connection.execute_wrappers.insert(0, _count)


def count_queries() -> None:
    """Have the connections of this process counted, those included that are open. Idempotent."""
    connection_created.connect(_watch, weak=False, dispatch_uid=_DISPATCH_UID)
    for connection in connections.all(initialized_only=True):
        _watch(connection)
