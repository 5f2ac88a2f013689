"""A MariaDB server to be frozen and killed."""

from collections.abc import Iterator

import pytest
from support.mariadb import MariaDBServer
from support.small_disk import migrate_store


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
    migrate_store(url)
    yield url
    server.drop_database(url)
