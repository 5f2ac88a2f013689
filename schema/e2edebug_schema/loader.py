"""Fill a store with invented traffic: `python -m e2edebug_schema.loader --url URL --sessions 100000`.

For measuring and trying out queries at the size of a real store. Summaries, error groups and metrics are right for the
steps beside them, metrics of days that retention has been over are hours, and later hours are summed up. Rows go by the thousand in multi-row statements, in the order of time: millions of steps in
minutes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, select

from e2edebug_schema.bulk_rows import BulkInsert, BulkRows
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.partitions import ensure_daily_partitions
from e2edebug_schema.retention.rollups import SETTLED_AFTER, put_out_of_force, roll_up_hours
from e2edebug_schema.sample_sessions import (
    ERROR_FIELDS,
    SESSION_FIELDS,
    STEP_FIELDS,
    Row,
    SampleSession,
    sample_sessions,
)
from e2edebug_schema.sample_snapshots import SNAPSHOT_FIELDS, SampleSnapshots
from e2edebug_schema.tables import error_group, error_log, performance_snapshot, trace_step, workflow_session

SESSIONS_AT_ONCE: Final = 500
_TIMESTAMP: Final = SNAPSHOT_FIELDS.index("timestamp")

Progress = Callable[[int], None]
"""Is told how many more sessions are stored."""


@dataclass(slots=True)
class Loaded:
    """How many rows have been stored."""

    sessions: int = 0
    steps: int = 0
    snapshots: int = 0
    errors: int = 0

    def add(self, more: "Loaded") -> None:
        """Count these too."""
        self.sessions += more.sessions
        self.steps += more.steps
        self.snapshots += more.snapshots
        self.errors += more.errors


def load(
    engine: Engine,
    *,
    sessions: int,
    days: float = 7.0,
    until: datetime | None = None,
    seed: int | None = None,
    progress: Progress = lambda _stored: None,
) -> Loaded:
    """Migrate the store and add so many sessions, spread evenly over the *days* before *until* (default: now)."""
    last = until or datetime.now(UTC)
    first = last - timedelta(days=days)
    migrate(engine)
    ensure_daily_partitions(engine, since=first.date())
    loaded, bulk = Loaded(), BulkRows()
    metrics = SampleSnapshots(until=last, name=f"{first.isoformat()} {seed}")
    made = sample_sessions(sessions, first=first, last=last, seed=seed)
    # One chunk is made up and written out while the server stores the one before: half of a load is Python's.
    with ThreadPoolExecutor(1) as writer:
        storing: Future[None] | None = None
        while chunk := list(islice(made, SESSIONS_AT_ONCE)):
            rows = _Rows.of(bulk, engine.dialect, chunk, metrics.finished_before(chunk))
            if storing is not None:
                storing.result()
            storing = writer.submit(rows.store, engine, loaded)
            progress(len(chunk))
        if storing is not None:
            storing.result()
    _Rows.of(bulk, engine.dialect, [], metrics.rest()).store(engine, loaded)
    # As a store is whose processes run: hours that were claimed a while before are summed up.
    for moment in (last - SETTLED_AFTER, last):
        roll_up_hours(engine, moment)
    return loaded


@contextmanager
def progress_bar(total: int) -> Iterator[Progress]:
    """Give what shows *total* sessions being stored: a bar where rich and a terminal are, a line for each tenth elsewhere."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError:
        yield _plain_progress(total)
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress(total)
        return
    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("sessions", total=total)
        yield lambda stored: bar.advance(task, stored)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m e2edebug_schema.loader", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--url", required=True, help="the store, such as mysql+pymysql://user:password@host/database")
    parser.add_argument("--sessions", type=int, default=100_000, help="how many (default: 100000; 10 steps each)")
    parser.add_argument("--days", type=float, default=7.0, help="how far back they reach (default: 7)")
    parser.add_argument("--seed", type=int, help="the same seed makes the same sessions")
    given = parser.parse_args(arguments)
    engine = create_store_engine(given.url, read_timeout_s=120, write_timeout_s=120)
    try:
        with progress_bar(given.sessions) as progress:
            loaded = load(engine, sessions=given.sessions, days=given.days, seed=given.seed, progress=progress)
    finally:
        engine.dispose()
    sys.stdout.write(
        f"stored {loaded.sessions} sessions, {loaded.steps} steps, {loaded.snapshots} snapshots, "
        f"{loaded.errors} errors\n"
    )
    return 0


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of some sessions and of the metrics that ended with them, ready to be sent."""

    inserts: tuple[BulkInsert, ...]
    errors: Sequence[Row]
    snapshots: Sequence[Row]
    counts: Loaded

    @classmethod
    def of(
        cls, bulk: BulkRows, dialect: Dialect, sessions: Sequence[SampleSession], snapshots: Sequence[Row]
    ) -> "_Rows":
        steps = [step for session in sessions for step in session.steps]
        errors = [error for session in sessions for error in session.errors]
        inserts = (
            bulk.prepare(dialect, workflow_session, SESSION_FIELDS, [session.session for session in sessions]),
            bulk.prepare(dialect, trace_step, STEP_FIELDS, steps),
            bulk.prepare(dialect, error_log, ERROR_FIELDS, errors),
            bulk.prepare(dialect, performance_snapshot, SNAPSHOT_FIELDS, snapshots),
        )
        return cls(inserts, errors, snapshots, Loaded(len(sessions), len(steps), len(snapshots), len(errors)))

    def store(self, engine: Engine, loaded: Loaded) -> None:
        """Insert them in one transaction, so that whoever reads meanwhile sees whole sessions."""
        with engine.begin() as connection:
            for insert in self.inserts:
                insert.send(connection)
            put_out_of_force(connection, (row[_TIMESTAMP] for row in self.snapshots))
            _count_groups(connection, self.errors)
        loaded.add(self.counts)


def _count_groups(connection: Connection, errors: Sequence[Row]) -> None:
    """Keep the groups as the exporter does; there are a handful of them."""
    columns = error_group.c
    for error in errors:
        values = dict(zip(ERROR_FIELDS, error, strict=True))
        seen = datetime.fromisoformat(values["timestamp"]).replace(tzinfo=UTC)
        key = columns.fingerprint == values["fingerprint"]
        found = connection.execute(select(columns.first_seen, columns.last_seen).where(key)).first()
        if found is None:
            new: dict[str, Any] = {
                name: values[name] for name in ("fingerprint", "error_type", "error_class", "layer", "component")
            }
            new |= {"title": f"{values['error_type']}: {values['error_message']}"[:255], "occurrences": 1}
            new |= {"first_seen": seen, "last_seen": seen}
            new |= {"first_release": values["service_release"], "last_release": values["service_release"]}
            connection.execute(error_group.insert(), new)
            continue
        changes: dict[str, Any] = {"occurrences": columns.occurrences + 1}
        if seen < found.first_seen:
            changes |= {"first_seen": seen, "first_release": values["service_release"]}
        if seen > found.last_seen:
            changes |= {"last_seen": seen, "last_release": values["service_release"]}
        connection.execute(error_group.update().where(key).values(changes))


def _plain_progress(total: int) -> Progress:
    done = 0

    def advance(stored: int) -> None:
        nonlocal done
        before, done = done, done + stored
        if before * 10 // max(1, total) != done * 10 // max(1, total):
            sys.stderr.write(f"{done} of {total} sessions\n")

    return advance


if __name__ == "__main__":
    sys.exit(main())
