"""A MariaDB to be killed, frozen and filled up, and small file systems."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.small_disk import migrate_store

from e2edebug_schema.engine import create_store_engine


@pytest.fixture(scope="session")
def victim() -> Iterator[MariaDBServer]:
    """A server that only these tests use."""
    server = MariaDBServer.create()
    yield server
    server.remove()


@pytest.fixture
def victim_url(victim: MariaDBServer) -> Iterator[str]:
    """The URL of a migrated database on it."""
    url = victim.create_database()
    migrate_store(url)
    yield url
    victim.drop_database(url)


@pytest.fixture
def victim_engine(victim_url: str) -> Iterator[sa.Engine]:
    engine = create_store_engine(victim_url)
    yield engine
    engine.dispose()


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Makes a file system of so many megabytes, unmounted at the end of the test."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system of limited size")
    mounted: list[Path] = []

    def mount(megabytes: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="e2edebug-disk-"))
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:  # a container without CAP_SYS_ADMIN
            folder.rmdir()
            pytest.skip(f"no file system of limited size can be mounted here: {finished.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
