"""Stores for tests: SQLite and a real MariaDB, each test with a fresh one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.fault_table import _fault_is_measured, fault_row, pytest_terminal_summary  # noqa: F401 # found by name
from support.mariadb import ExistingServer, MariaDBServer, NoServer
from support.migrated_databases import MigratedDatabases

DIALECTS = ("sqlite", "mariadb")


def pytest_configure(config: pytest.Config) -> None:
    # Our own suite wants to see what a host application must never see.
    os.environ.setdefault("E2EDEBUG_RAISE_ERRORS", "1")
    # Programs that tests start spool as a user's would, but not into the home of whoever runs the tests.
    state = tempfile.mkdtemp(prefix="e2edebug-state-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer | ExistingServer]:
    """A MariaDB (or MySQL, through E2EDEBUG_TEST_DATABASE_URL) for the whole run; its absence fails, it never skips."""
    url = os.environ.get("E2EDEBUG_TEST_DATABASE_URL")
    try:
        server: MariaDBServer | ExistingServer = ExistingServer(url) if url else MariaDBServer.create()
    except NoServer as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.remove()


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """`sqlite` and `mariadb` in turn; asking for it makes a test run once on each."""
    return str(request.param)


@pytest.fixture
def empty_store_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without a single table."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite3'}"
        return
    server = request.getfixturevalue("mariadb_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file; copying it takes a millisecond, migrating a hundred."""
    from e2edebug_schema.engine import create_store_engine
    from e2edebug_schema.migrate import migrate

    path = tmp_path_factory.mktemp("template") / "store.sqlite3"
    engine = create_store_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()  # the last connection to close moves the write-ahead log into the file
    return path


@pytest.fixture
def store_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated store without rows."""
    if dialect == "sqlite":
        path = tmp_path / "store.sqlite3"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    stores: MigratedDatabases = request.getfixturevalue("_migrated_databases")
    url = stores.take()
    yield url
    stores.give_back(url)


@pytest.fixture(scope="session")
def _migrated_databases(mariadb_server: MariaDBServer | ExistingServer) -> MigratedDatabases:
    return MigratedDatabases(mariadb_server)


@pytest.fixture
def engine(store_url: str) -> Iterator[sa.Engine]:
    """An engine of ours on a migrated store without rows."""
    from e2edebug_schema.engine import create_store_engine

    engine = create_store_engine(store_url)
    yield engine
    engine.dispose()
