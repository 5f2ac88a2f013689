"""The reads that people wait for, through the product's own queries, and what each took on the server and in Python."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.store_growth.growing_store import GrowingStore
from sqlalchemy import Connection, Engine, select

from e2edebug_schema.queries.error_summary import error_counts
from e2edebug_schema.queries.errors import error_groups, errors_of
from e2edebug_schema.queries.sessions import SessionFilter, find_session, list_sessions
from e2edebug_schema.queries.snapshots import merged_histograms
from e2edebug_schema.queries.statistics import repeated_statements
from e2edebug_schema.queries.steps import steps_of
from e2edebug_schema.read_limits import READ_ONLY_OPTION
from e2edebug_schema.tables import workflow_session

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Known:
    """What a person who reads has at hand: the time, and the names of what she looks for."""

    now: datetime
    correlation_ids: tuple[str, ...]
    user_id: str
    user_label: str
    slow_ms: float


Ask = Callable[[Connection, Known, int], Sequence[object]]
"""Reads with the product's query and returns what it found; the number counts the runs."""


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that is read, and how long the server may take for it."""

    name: str
    bound_ms: float | None
    """None: this has no goal of its own."""
    ask: Ask
    group: str = ""
    """Reads of one group have one target, which their slowest has to reach."""


@dataclass(slots=True)
class Taken:
    """Milliseconds of one read: the first after a restart of the server, and those after it."""

    read: Read
    cpu_ms: list[float] = field(default_factory=list)
    """Processor time of the server's thread: what remains of a read when nothing else runs and nothing comes from disk."""
    cold_server_ms: float = 0.0
    cold_call_ms: float = 0.0
    server_ms: list[float] = field(default_factory=list)
    call_ms: list[float] = field(default_factory=list)
    found: int = 0
    statements: int = 0
    rows_read: int = 0
    """Rows and index entries that the server touched, the last time."""


def _one_workflow(connection: Connection, known: Known, run: int) -> Sequence[object]:
    """Another one each time."""
    correlation_id = known.correlation_ids[run % len(known.correlation_ids)]
    session = find_session(connection, correlation_id)
    if session is None:
        raise RuntimeError(f"the workflow {correlation_id} is not there")
    errors_of(connection, correlation_id, session=session)
    return steps_of(connection, correlation_id, session=session)


def _sessions(make: Callable[[Known], SessionFilter]) -> Ask:
    return lambda connection, known, _run: list_sessions(connection, filters=make(known))


def _p95(span: timedelta) -> Ask:
    return lambda connection, known, _run: merged_histograms(connection, since=known.now - span)


def _errors_by_kind(connection: Connection, known: Known, _run: int) -> Sequence[object]:
    return list(error_counts(connection, since=known.now - DAY, until=known.now))


FILTERS = "filtered lists of sessions"
ERRORS = "errors of a day by group"
READS = (
    Read("one workflow, not read before", None, _one_workflow),
    Read("latest 50 sessions", 5, _sessions(lambda _: SessionFilter())),
    Read("failed", 20, _sessions(lambda _: SessionFilter(status="failed")), FILTERS),
    Read("of one type", 20, _sessions(lambda _: SessionFilter(workflow_type="checkout")), FILTERS),
    Read("of one user id", 20, _sessions(lambda known: SessionFilter(user=known.user_id)), FILTERS),
    Read("of one user name", 20, _sessions(lambda known: SessionFilter(user=known.user_label)), FILTERS),
    Read("of one release", 20, _sessions(lambda _: SessionFilter(service_release="1.5.0")), FILTERS),
    Read("slow ones of a day", 20, _sessions(lambda known: SessionFilter(slower_than_ms=known.slow_ms, since=known.now - DAY)), FILTERS),
    Read("with an error", 20, _sessions(lambda _: SessionFilter(with_errors=True)), FILTERS),
    Read("with an error, of one type and a day", 20, _sessions(lambda known: SessionFilter(with_errors=True, workflow_type="login", since=known.now - DAY)), FILTERS),
    Read("with a statement repeated 30 times", 20, _sessions(lambda _: SessionFilter(repeated_at_least=30)), FILTERS),
    Read("p95 of every component, 1 h", 50, _p95(HOUR)),
    Read("p95 of every component, 24 h", 150, _p95(DAY)),
    Read("p95 of every component, 7 d", 450, _p95(WEEK)),
    Read("groups seen in a day", 10, lambda connection, known, _run: error_groups(connection, since=known.now - DAY), ERRORS),
    Read("errors counted by component and type", 10, _errors_by_kind, ERRORS),
    Read("repeated statements of the day", 20, lambda connection, known, _run: repeated_statements(connection, since=known.now - DAY)),
    # That of the first line again, as all others are read again; between the two come all the others.
    Read("one workflow by correlation id", 2, _one_workflow),
)  # fmt: skip


def measure_reads(store: GrowingStore, *, runs: int) -> list[Taken]:
    """Return what each read took: once on a server that has just started, then *runs* times."""
    known = _known(store)
    store.restart()
    engine = store.engine()
    try:
        with engine.connect() as given:
            connection = given.execution_options(**{READ_ONLY_OPTION: True})
            connection.exec_driver_sql("SET profiling_history_size = 100")
            clock = _ThreadClock(store.server.pid, connection)
            taken = [Taken(read) for read in READS]
            for one in taken:
                one.cold_server_ms, one.cold_call_ms, _ = _timed(connection, clock, one, known, 0)
            for run in range(1, runs + 1):
                for one in taken:
                    server_ms, call_ms, cpu_ms = _timed(connection, clock, one, known, run)
                    one.server_ms.append(server_ms)
                    one.call_ms.append(call_ms)
                    one.cpu_ms.append(cpu_ms)
            for one in taken:
                one.rows_read = _rows_read(connection, lambda one=one: one.read.ask(connection, known, 1))  # type: ignore[misc] # bound at once
            return taken
    finally:
        engine.dispose()


class _ThreadClock:
    """The processor time that the server's thread of one connection has taken, by the kernel (proc(5), schedstat)."""

    def __init__(self, server_pid: int, connection: Connection) -> None:
        query = "SELECT TID FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"
        thread = connection.exec_driver_sql(query).scalar_one()
        self._file = Path(f"/proc/{server_pid}/task/{thread}/schedstat")

    def ms(self) -> float:
        return int(self._file.read_text().split()[0]) / 1e6


def _timed(
    connection: Connection, clock: _ThreadClock, one: Taken, known: Known, run: int
) -> tuple[float, float, float]:
    """Return the milliseconds of the statements by the server's profile, of the whole call, and of the server's processor."""
    before = _last_profile(connection)
    connection.exec_driver_sql("SET profiling = 1")
    cpu_ms, began_s = clock.ms(), time.perf_counter()
    one.found = len(one.read.ask(connection, known, run))
    took_s, cpu_ms = time.perf_counter() - began_s, clock.ms() - cpu_ms
    connection.exec_driver_sql("SET profiling = 0")
    reads = [seconds for number, seconds, text in _profiles(connection) if number > before and "SELECT" in text.upper()]
    one.statements = len(reads)
    return sum(reads) * 1000, took_s * 1000, cpu_ms


def _profiles(connection: Connection) -> Iterator[tuple[int, float, str]]:
    for number, seconds, text in connection.exec_driver_sql("SHOW PROFILES"):
        yield int(number), float(seconds), str(text or "")


def _last_profile(connection: Connection) -> int:
    return max((number for number, _, _ in _profiles(connection)), default=0)


def _rows_read(connection: Connection, ask: Callable[[], object]) -> int:
    """How many rows and index entries the server touches (Handler_read_*), its temporary tables' included."""
    before = _handler_reads(connection)
    ask()
    return _handler_reads(connection) - before


def _handler_reads(connection: Connection) -> int:
    rows = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'")
    return sum(int(count) for name, count in rows if name != "Handler_read_rnd_deleted")


def _known(store: GrowingStore) -> Known:
    engine: Engine = store.engine()
    columns = workflow_session.c
    try:
        with engine.connect() as connection:
            ids = []
            # One in each sixteenth of the time: pages of every age.
            for part in range(16):
                moment = store.first + (store.now - store.first) * (part + 0.5) / 16
                query = select(columns.correlation_id).where(columns.start_time >= moment).order_by(columns.start_time)
                ids.append(connection.execute(query.limit(1)).scalar_one())
            newest = connection.execute(
                select(columns.user_id, columns.user_label).order_by(columns.start_time.desc()).limit(1)
            ).one()
    finally:
        engine.dispose()
    return Known(
        now=store.now, correlation_ids=tuple(ids), user_id=newest.user_id, user_label=newest.user_label, slow_ms=2000.0
    )
