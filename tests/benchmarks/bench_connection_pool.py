"""What taking a connection from a pool and giving it back costs, beside OpenTelemetry's instrumentor for SQLAlchemy.

Theirs counts `db.client.connections.usage` at each of the pool's events, and has a span of each `connect()` that is
switched off here. `python tests/benchmarks/bench_connection_pool.py`
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from paired_cost import compare, plain, say_where, stock_provider

from e2edebug_instrumentation.database.connection_pool import ConnectionPoolInstrumentor


def main() -> None:
    say_where()
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

    with plain():
        borrow(10)
    compare("connect and close", borrow, peer=stock, ours=ours, count=2000)


if __name__ == "__main__":
    main()
