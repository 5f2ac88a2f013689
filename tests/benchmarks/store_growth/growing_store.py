"""A MariaDB of its own whose store grows in stretches of time, as a shop's does: the same traffic, for longer.

Of each stretch the loader stores most, and the product's own writer the last steps, timed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.store_growth.product_writer import WrittenBatches, write_sessions
from sqlalchemy import Engine
from support.mariadb import MariaDBServer

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.loader import Progress, load
from e2edebug_schema.retention.apply import apply_retention
from e2edebug_schema.retention.policy import RetentionPolicy
from e2edebug_schema.retention.rollups import SETTLED_AFTER

STEPS_PER_SESSION = 10
WEEK = timedelta(days=7)
WRITTEN_SHARE, MOST_WRITTEN = 0.2, 1000
"""How much of a stretch the product's writer stores: a fifth of it, and of a long one a thousand sessions."""

SERVER_OPTIONS = (
    "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M", "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin",
    # So that a restarted server has nothing in memory.
    "--innodb-buffer-pool-dump-at-shutdown=0", "--innodb-buffer-pool-load-at-startup=0",
)  # fmt: skip

BYTES_PER_STEP = 2_000
"""Rows, indexes, and what InnoDB allocates ahead; 1,200 to 1,500 were seen."""
FIXED_BYTES = 3_000_000_000
"""Log, system tables, temporary tables of queries."""


class NotEnoughDisk(RuntimeError):
    """The store would not fit; the text says how much is missing, and where."""


def check_disk_space(folder: Path, steps: int) -> None:
    """Raise NotEnoughDisk unless a store of so many steps fits into *folder*."""
    needed, free = steps * BYTES_PER_STEP + FIXED_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise NotEnoughDisk(
            f"a store of {steps:,} steps needs about {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are free. "
            "Set TMPDIR to a folder with more room, or try --quick."
        )


@dataclass(slots=True)
class GrowingStore:
    """The store, which ends at `now`."""

    server: MariaDBServer
    url: str
    first: datetime
    full_steps: int
    """How many a week of traffic has."""
    now: datetime = field(init=False)
    steps: int = 0
    written: WrittenBatches = field(default_factory=WrittenBatches)

    def __post_init__(self) -> None:
        self.now = self.first

    def engine(self) -> Engine:
        """Return a new engine on it, as whoever reads makes one."""
        return create_store_engine(self.url, read_timeout_s=120, write_timeout_s=120)

    def grow(self, steps: int, *, progress: Progress = lambda _stored: None) -> None:
        """Let the traffic go on until there are about so many steps, and retention do its work."""
        engine = self.engine()
        try:
            sessions = (steps - self.steps) // STEPS_PER_SESSION
            written = min(int(sessions * WRITTEN_SHARE), MOST_WRITTEN)
            until = self.first + WEEK * (steps / self.full_steps)
            between = self.now + (until - self.now) * ((sessions - written) / sessions)
            days = (between - self.now) / timedelta(days=1)
            load(engine, sessions=sessions - written, days=days, until=between, seed=steps, progress=progress)
            self.written = write_sessions(engine, written, first=between, last=until, seed=steps + 1)
            # What was minutes at an earlier end has become old since; and the hours that are over are summed up, as the
            # runs of a process do it that goes on: claimed by one, summed by the next.
            for moment in (until - SETTLED_AFTER, until):
                apply_retention(engine, RetentionPolicy({}, max_bytes=0), now=moment)
            self.now, self.steps = until, steps
        finally:
            engine.dispose()

    def restart(self) -> None:
        """Restart the server: nothing is in its memory, and nothing is left to be written in the background."""
        self.server.stop()
        self.server.start(timeout_s=180)


@contextmanager
def growing_store(full_steps: int) -> Iterator[GrowingStore]:
    """Give an empty store on a server of its own; its data directory is gone afterwards."""
    folder = Path(tempfile.gettempdir())
    check_disk_space(folder, full_steps)
    server = MariaDBServer.create(options=SERVER_OPTIONS)
    try:
        # It ends now: partitions and retention go by the days that there are.
        last = datetime.now(UTC)
        yield GrowingStore(server, server.create_database(), last - WEEK, full_steps)
    finally:
        server.remove()
