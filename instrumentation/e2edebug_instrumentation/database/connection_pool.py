"""How many database connections a process holds, how many of them are in use, and how long one waits for one.

SQLAlchemy's pools, those of every engine that connects; and Django's persistent connections, one for each thread and
alias, of which those count as in use whose thread answers a request or is in a transaction.
"""

import functools
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePath
from typing import Any, Final, NamedTuple

import wrapt
from opentelemetry import metrics
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, unwrap
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from e2edebug.policy import attributes
from e2edebug.policy.self_report import internal_error

UNITS: Final = {
    "connection_pool": "%",
    "connection_pool_open": "connections",
    "connection_pool_in_use": "connections",
    "connection_pool_wait": "ms",
}
"""The first is what thresholds judge: the share in use at the worst moment, of all that the pool may open."""
OWN_POOL: Final = "e2edebug"
"""The `pool_logging_name` of the pool to e2edebug's own store."""

_SIGNALS: Final = "django.db.backends.signals"
_ENGINE: Final = "sqlalchemy.engine"
_ID: Final = "e2edebug_connection_pool"
_WAITED: Final = "_e2edebug_longest_wait_s"


class PoolReading(NamedTuple):
    """One pool, since it was read last."""

    name: str
    open: int
    in_use: int
    """At most at once."""
    most: int | None
    """How many there may be; None without a limit."""
    longest_wait_ms: float | None

    def values(self) -> Iterator[tuple[str, float]]:
        """Yield metric and value."""
        yield "connection_pool_open", float(self.open)
        yield "connection_pool_in_use", float(self.in_use)
        limit = self.most or self.open
        if limit:
            yield "connection_pool", min(100.0, 100.0 * self.in_use / limit)
        if self.longest_wait_ms is not None:
            yield "connection_pool_wait", self.longest_wait_ms


class ConnectionPoolInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Observes connection pools; a singleton, undone by uninstrument(). instrument() takes `meter_provider`."""

    _pools: "tuple[_SqlAlchemyPools, _DjangoConnections] | None" = None
    _has_gauges = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: each waits for its library."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._pools = (_SqlAlchemyPools(), _DjangoConnections())
        for module, begin in ((_ENGINE, 0), (_SIGNALS, 1)):
            if not ConnectionPoolInstrumentor._is_hooked:
                wrapt.register_post_import_hook(functools.partial(self._begin, begin), module)
            elif module in sys.modules:
                self._begin(begin)
        ConnectionPoolInstrumentor._is_hooked = True
        meter_provider: MeterProvider | None = kwargs.get("meter_provider")
        # A gauge cannot be taken back; one that nobody wants any more observes nothing.
        if meter_provider is not None:
            self._make_gauges(meter_provider)
        elif not ConnectionPoolInstrumentor._has_gauges:
            ConnectionPoolInstrumentor._has_gauges = True
            self._make_gauges(metrics.get_meter_provider())

    def _uninstrument(self, **_: Any) -> None:
        pools, self._pools = self._pools, None
        for one in pools or ():
            one.stop()

    def _begin(self, which: int, _module: Any = None) -> None:
        if self._pools is not None:
            self._pools[which].start()

    def _make_gauges(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("e2edebug.connection_pool")
        for name, unit in UNITS.items():
            meter.create_observable_gauge(name, [self._observer_of(name)], unit)

    def _observer_of(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            if self._pools is None:
                return ()
            if name == next(iter(UNITS)):
                self._readings = self._read()  # the first gauge reads, the others say what it has found
            return [
                Observation(value, {attributes.LAYER: "database", attributes.COMPONENT: reading.name})
                for reading in self._readings
                for metric, value in reading.values()
                if metric == name
            ]

        return observe

    _readings: tuple[PoolReading, ...] = ()

    def _read(self) -> tuple[PoolReading, ...]:
        try:
            return tuple(reading for one in self._pools or () for reading in one.readings())
        except Exception as error:  # noqa: BLE001 - pools of classes that we do not know
            internal_error("read the connection pools", error)
            return ()


class _SqlAlchemyPools:
    """Pools of the kinds that have a size, known by the engines that take connections from them."""

    def __init__(self) -> None:
        self._names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._peaks: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._is_listening = False

    def start(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.util import queue

        event.listen(Engine, "engine_connect", self._when_connected)
        for kind in (queue.Queue, queue.AsyncAdaptedQueue):
            wrapt.wrap_function_wrapper(kind, "get", _timed_get)
        self._is_listening = True

    def stop(self) -> None:
        if not self._is_listening:
            return
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.util import queue

        event.remove(Engine, "engine_connect", self._when_connected)
        for kind in (queue.Queue, queue.AsyncAdaptedQueue):
            unwrap(kind, "get")

    def readings(self) -> Iterator[PoolReading]:
        for pool, name in list(self._names.items()):
            in_use = pool.checkedout()
            peak = max(self._peaks.pop(pool, 0), in_use)
            queue = getattr(pool, "_pool", None)
            waited_s = queue.__dict__.pop(_WAITED, 0.0) if hasattr(queue, "__dict__") else None
            overflow = getattr(pool, "_max_overflow", -1)
            most = pool.size() + overflow if overflow >= 0 else None
            yield PoolReading(
                name, pool.checkedin() + in_use, peak, most, None if waited_s is None else 1000.0 * waited_s
            )

    def _when_connected(self, connection: Any) -> None:
        try:
            pool = connection.engine.pool
            if pool not in self._names:
                if not hasattr(pool, "checkedout") or pool.logging_name == OWN_POOL or not is_instrumentation_enabled():
                    return
                self._names[pool] = _name_of(connection.engine)
            in_use = pool.checkedout()
            if in_use > self._peaks.get(pool, 0):
                self._peaks[pool] = in_use
        except Exception as error:  # noqa: BLE001 - the application has its connection
            internal_error("see a connection of a pool", error)


def _timed_get(wrapped: Callable[..., Any], queue: Any, args: Any, kwargs: Any) -> Any:
    """Time a look into a pool's queue that may wait, which it does only when every connection is out."""
    may_wait = args[0] if args else kwargs.get("block", True)
    if not may_wait:
        return wrapped(*args, **kwargs)
    began = time.perf_counter()
    try:
        return wrapped(*args, **kwargs)
    finally:
        waited_s = time.perf_counter() - began
        if waited_s > queue.__dict__.get(_WAITED, 0.0):
            queue.__dict__[_WAITED] = waited_s


def _name_of(engine: Any) -> str:
    database = engine.url.database
    return PurePath(database).name if database else str(engine.dialect.name)


class _DjangoConnections:
    """The connections of every thread that Django has opened since it was told to tell."""

    def __init__(self) -> None:
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()
        self._answering: set[int] = set()
        self._peaks: dict[str, int] = {}
        self._is_listening = False

    def start(self) -> None:
        from django.core import signals
        from django.db import connections
        from django.db.backends.signals import connection_created

        connection_created.connect(self._when_created, weak=False, dispatch_uid=_ID)
        signals.request_started.connect(self._when_started, weak=False, dispatch_uid=_ID)
        signals.request_finished.connect(self._when_finished, weak=False, dispatch_uid=_ID)
        self._is_listening = True
        if getattr(connections, "_settings", None) is not None:  # else nobody has asked for one yet
            self._known.update(connections.all(initialized_only=True))

    def stop(self) -> None:
        if not self._is_listening:
            return
        from django.core import signals
        from django.db.backends.signals import connection_created

        for signal in (connection_created, signals.request_started, signals.request_finished):
            signal.disconnect(dispatch_uid=_ID)

    def readings(self) -> Iterator[PoolReading]:
        in_use = self._in_use()
        opened: dict[str, int] = {}
        for one in list(self._known):
            if one.connection is not None:
                opened[one.alias] = opened.get(one.alias, 0) + 1
        peaks, self._peaks = self._peaks, {}
        for alias, count in opened.items():
            peak = max(peaks.get(alias, 0), in_use.get(alias, 0))
            yield PoolReading(alias, count, min(peak, count), None, None)

    def _in_use(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in list(self._known):
            if one.connection is not None and (one._thread_ident in self._answering or one.in_atomic_block):
                counts[one.alias] = counts.get(one.alias, 0) + 1
        return counts

    def _when_created(self, connection: Any = None, **_: Any) -> None:
        if connection is not None:
            self._known.add(connection)

    def _when_started(self, **_: Any) -> None:
        self._answering.add(threading.get_ident())

    def _when_finished(self, **_: Any) -> None:
        try:
            for alias, count in self._in_use().items():
                self._peaks[alias] = max(count, self._peaks.get(alias, 0))
        except Exception as error:  # noqa: BLE001 - a connection of a backend that we do not know
            internal_error("count the connections in use", error)
        self._answering.discard(threading.get_ident())
