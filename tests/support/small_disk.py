"""A file system without room, and a store on it."""

import os
from pathlib import Path

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate


def fill(folder: Path, *, leave_bytes: int) -> Path:
    """Fill the file system of *folder* but for *leave_bytes*; return the file to delete."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave_bytes)
    return ballast


def migrate_store(url: str) -> None:
    """Bring the store at *url* to the current schema."""
    engine = create_store_engine(url)
    migrate(engine)
    engine.dispose()
