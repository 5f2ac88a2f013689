"""A MariaDB server to be frozen and killed."""

from collections.abc import Iterator

import pytest
from support.mariadb import MariaDBServer

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A server of the module's own."""
    server = MariaDBServer.create()
    yield server
    server.remove()


@pytest.fixture
def url(server: MariaDBServer) -> Iterator[str]:
    """The URL of a migrated database on it."""
    url = server.create_database()
    engine = create_store_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    server.drop_database(url)
