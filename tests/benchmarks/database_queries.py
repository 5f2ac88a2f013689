"""What a query costs with our instrumentation, beside OpenTelemetry's for the same driver or library."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from benchmarks.paired_cost import compare, own_provider, plain, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

from e2edebug_instrumentation.database.dbapi_drivers import DbApiInstrumentor
from e2edebug_instrumentation.database.sqlalchemy_engine import SQLAlchemyEngineInstrumentor

EXPLANATION = """\
A look-up by its key in a SQLite database in memory, by `sqlite3` used directly and by SQLAlchemy's engine, within a
request, beside OpenTelemetry's instrumentors for `sqlite3` and SQLAlchemy. Ours find the digest, the table and the line of
the application that asked as well, which the peers do not. CPU time of one query; the spans are made and forgotten.
Queries of Django's ORM, with their request, are in `request_overhead`.
"""
TABLE = "CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT)"
QUERY = "SELECT name FROM product WHERE id = 17"


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor  # only in the environment of the benchmarks

    stock, own = stock_provider(), own_provider()

    def directly(times: int) -> None:
        connection = sqlite3.connect(":memory:")
        cursor = connection.cursor()
        cursor.execute(TABLE)
        for _ in range(times):
            cursor.execute(QUERY).fetchall()
        connection.close()

    def by_sqlalchemy(times: int) -> None:
        engine = sa.create_engine("sqlite://")
        query = sa.text(QUERY)
        with engine.connect() as connection:
            connection.execute(sa.text(TABLE))
            for _ in range(times):
                connection.execute(query).all()
        engine.dispose()

    @contextmanager
    def on(instrumentor: Any, provider: Any) -> Iterator[None]:
        instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
        try:
            with provider.get_tracer("benchmark").start_as_current_span("request"):
                yield
        finally:
            instrumentor.uninstrument()

    with plain():
        directly(1)
        by_sqlalchemy(1)
    pairs: list[tuple[str, Callable[[int], None], Any, Any]] = [
        ("sqlite3", directly, SQLite3Instrumentor, DbApiInstrumentor),
        ("SQLAlchemy", by_sqlalchemy, SQLAlchemyInstrumentor, SQLAlchemyEngineInstrumentor),
    ]
    cases: list[Case] = [
        compare(
            name,
            operation,
            peer=lambda peer=peer: on(peer(), stock),  # type: ignore[misc]
            ours=lambda ours=ours: on(ours(), own),  # type: ignore[misc]
            count=2000,
            quick=quick,
        )
        for name, operation, peer, ours in pairs
    ]
    return [result_of("database_queries", "A query", EXPLANATION, cases)]
