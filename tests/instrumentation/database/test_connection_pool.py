"""Connections open and in use, and how long one waits for one, as they are exported."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy.util import queue
from support.site import Site

from e2edebug.policy import attributes
from e2edebug_instrumentation.database.connection_pool import ConnectionPoolInstrumentor
from e2edebug_schema.engine import create_store_engine

Read = Any


@pytest.fixture
def read() -> Iterator[Read]:
    """Returns metric -> value of each pool, by its name."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instrumentor = ConnectionPoolInstrumentor()
    instrumentor.instrument(meter_provider=provider)

    def values(pool: str) -> dict[str, float]:
        data: Any = reader.get_metrics_data()
        return {
            metric.name: point.value
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if point.attributes == {attributes.LAYER: "database", attributes.COMPONENT: pool}
        }

    yield values
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    provider.shutdown()


def pooled(path: Path, **options: Any) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{path}", poolclass=sa.QueuePool, **options)


def test_a_pool_says_what_is_open_and_what_was_in_use_at_most(read: Read, tmp_path: Path) -> None:
    engine = pooled(tmp_path / "shop.sqlite3", pool_size=3, max_overflow=1)
    with engine.connect(), engine.connect():
        pass
    with engine.connect():
        busy = read("shop.sqlite3")
    idle = read("shop.sqlite3")
    engine.dispose()

    assert busy == {
        "connection_pool": 50.0, "connection_pool_open": 2.0, "connection_pool_in_use": 2.0, "connection_pool_wait": 0.0,
    }  # fmt: skip
    assert (idle["connection_pool_in_use"], idle["connection_pool_open"]) == (0.0, 2.0)


def test_waiting_for_a_connection_is_measured(read: Read, tmp_path: Path) -> None:
    engine = pooled(tmp_path / "shop.sqlite3", pool_size=1, max_overflow=0, pool_timeout=30)
    first = engine.connect()
    threading.Timer(0.1, first.close).start()
    with engine.connect():
        values = read("shop.sqlite3")
    again = read("shop.sqlite3")
    engine.dispose()

    assert values["connection_pool_wait"] >= 50.0
    assert values["connection_pool"] == 100.0
    assert again["connection_pool_wait"] == 0.0


def test_a_pool_without_a_limit_and_one_without_a_size(read: Read, tmp_path: Path) -> None:
    unlimited = pooled(tmp_path / "one.sqlite3", max_overflow=-1)
    single = sa.create_engine(f"sqlite:///{tmp_path / 'two.sqlite3'}", poolclass=sa.NullPool)
    with unlimited.connect(), unlimited.connect(), single.connect():
        values = read("one.sqlite3")
        nothing = read("two.sqlite3")
    unlimited.dispose()

    assert (values["connection_pool"], values["connection_pool_open"]) == (100.0, 2.0)
    assert nothing == {}


def test_the_pool_to_our_own_store_is_none_of_the_applications(read: Read, tmp_path: Path) -> None:
    engine = create_store_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    with engine.connect():
        values = read("store.sqlite3")
    engine.dispose()

    assert values == {}


def test_switched_off_nothing_is_wrapped(read: Read, tmp_path: Path) -> None:
    ConnectionPoolInstrumentor().uninstrument()
    engine = pooled(tmp_path / "shop.sqlite3")
    with engine.connect():
        values = read("shop.sqlite3")
    engine.dispose()

    assert values == {}
    assert not hasattr(queue.Queue.get, "__wrapped__")


def test_djangos_connections_are_counted_by_alias(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", {"wsgi_top": "import e2edebug.auto"})
    source = """
import json, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
from site_project.wsgi import application
from wsgiref.util import setup_testing_defaults
environ = {"PATH_INFO": "/users/"}
setup_testing_defaults(environ)
from django.db import connection
connection.settings_dict["CONN_MAX_AGE"] = None
b"".join(application(environ, lambda status, headers: None))
from e2edebug_instrumentation.database.connection_pool import ConnectionPoolInstrumentor
from django.db import transaction
def read():
    return [one._asdict() for one in ConnectionPoolInstrumentor()._read()]
found = [read()]
with transaction.atomic():
    found.append(read())
connection.close()
found.append(read())
print(json.dumps(found))
"""

    done = site.run("-c", source, environ={"E2EDEBUG_DATABASE_URL": f"sqlite:///{tmp_path / 'store.sqlite3'}"})

    of_request, of_transaction, closed = json.loads(done.stdout.splitlines()[-1])
    reading = {"name": "default", "open": 1, "in_use": 1, "most": None, "longest_wait_ms": None}
    assert of_request == [reading], "while the request was answered"
    assert of_transaction == [reading]
    assert closed == []
