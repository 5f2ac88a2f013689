"""What taking a connection from a pool and giving it back costs, beside OpenTelemetry's instrumentor for SQLAlchemy.

Theirs counts `db.client.connections.usage` at each of the pool's events, and has a span of each `connect()` that is
switched off here. `make bench ARGS=connection_pools`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from benchmarks.paired_cost import compare, plain, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from e2edebug_instrumentation.database.connection_pool import ConnectionPoolInstrumentor

EXPLANATION = """\
What is added when a connection is taken and given back: for SQLAlchemy's pools beside OpenTelemetry's instrumentor, whose
gauge counts at each of the pool's events (its span of `connect()` is left out); for Django's connections, which no
other instrumentor watches, around the start and the end of a request. CPU time, reading of the gauges not included.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, connect_args={"check_same_thread": False})

    def borrow(times: int) -> None:
        for _ in range(times):
            with engine.connect():
                pass

    @contextmanager
    def stock() -> Iterator[None]:
        provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        usage = provider.get_meter("stock").create_up_down_counter("db.client.connections.usage", "connections")
        EngineTracer(stock_provider().get_tracer("stock"), engine, usage)
        try:
            yield
        finally:
            EngineTracer.remove_all_event_listeners()
            provider.shutdown()

    @contextmanager
    def ours() -> Iterator[None]:
        provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        ConnectionPoolInstrumentor().instrument(meter_provider=provider)
        try:
            yield
        finally:
            ConnectionPoolInstrumentor().uninstrument()
            provider.shutdown()

    import django
    from django.conf import settings
    from django.core import signals

    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    django.setup()
    from django.db import connection

    def request(times: int) -> None:
        connection.ensure_connection()
        for _ in range(times):
            signals.request_started.send(None)
            signals.request_finished.send(None)

    with plain():
        borrow(10)
    cases.append(compare("connect and close", borrow, peer=stock, ours=ours, count=2000, quick=quick))
    cases.append(compare("Django: a request's connection", request, peer=None, ours=ours, count=2000, quick=quick))
    return [result_of("connection_pools", "A connection of a pool", EXPLANATION, cases)]
