"""The three results: reads at the largest size, the bytes of a store, and how all of it grows."""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.result import Case, Figure, Result, Target
from benchmarks.store_growth.disk import Disk, disk_of_mariadb, disk_of_sqlite
from benchmarks.store_growth.growing_store import STEPS_PER_SESSION, GrowingStore, growing_store
from benchmarks.store_growth.reads import Taken, measure_reads

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.loader import load, progress_bar
from e2edebug_schema.rollup_tables import performance_rollup
from e2edebug_schema.sample_snapshots import PROCESSES, WINDOW_S
from e2edebug_schema.tables import error_group, error_log, performance_snapshot, trace_step, workflow_session

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
QUICK_SIZES = (1_000, 10_000)
RUNS, QUICK_RUNS = 9, 3
SQLITE_STEPS, QUICK_SQLITE_STEPS = 100_000, 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """The store at one size."""

    steps: int
    reads: list[Taken]
    disk: Disk
    write_rates: list[float]


def measure_growth(*, quick: bool) -> list[Result]:
    """Return reads, disk and growth."""
    sizes, runs = (QUICK_SIZES, QUICK_RUNS) if quick else (SIZES, RUNS)
    measured = []
    with growing_store(sizes[-1]) as store:
        for steps in sizes:
            measured.append(_at(store, steps, runs))
    sqlite = _sqlite(QUICK_SQLITE_STEPS if quick else SQLITE_STEPS)
    return [_reads(measured[-1]), _disk(measured[-1].disk, sqlite), _growth(measured)]


def _at(store: GrowingStore, steps: int, runs: int) -> Measured:
    sys.stderr.write(f"a store of {steps:,} steps …\n")
    with progress_bar((steps - store.steps) // STEPS_PER_SESSION) as progress:
        store.grow(steps, progress=progress)
    return Measured(steps, measure_reads(store, runs=runs), disk_of_mariadb(store), store.written.rates)


def _sqlite(steps: int) -> Disk:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite3"
        engine = create_store_engine(f"sqlite:///{file}")
        try:
            load(engine, sessions=steps // 10, days=7 * steps / SIZES[-1], until=datetime.now(UTC), seed=1)
            return disk_of_sqlite(engine, file)
        finally:
            engine.dispose()


def _reads(at: Measured) -> Result:
    cases = [
        Case(
            f"{one.read.group}: {one.read.name}" if one.read.group else one.read.name,
            "ours",
            {
                "on the server": Figure.of(one.server_ms, "ms"),
                "processor of the server": Figure.of(one.cpu_ms, "ms"),
                "whole call": Figure.of(one.call_ms, "ms"),
                "first, on the server": Figure.of([one.cold_server_ms], "ms"),
                "first, whole call": Figure.of([one.cold_call_ms], "ms"),
                "statements": Figure.of([float(one.statements)], "statements"),
                "rows read": Figure.of([float(one.rows_read)], "rows"),
                "rows found": Figure.of([float(one.found)], "rows"),
            },
        )
        for one in at.reads
    ]
    return Result(
        name="store_growth",
        title=f"Reading a store of {at.steps:,} steps",
        explanation=f"""\
A MariaDB with a buffer pool of 1 GiB, with a week of a shop's traffic: {at.steps:,} steps of {at.steps // 10:,} sessions
with their errors, and the metrics that {PROCESSES} processes export every {WINDOW_S} s, merged into hours where they are
older than two days; of the newer ones every hour that was over a while ago is summed up beside its minutes. Each is read by
the query that the command line, the API and the admin use.

*On the server* is what the server's own profile says of the statements (`SHOW PROFILES`); the goals are for it. *Processor of
the server* is what its thread computed meanwhile, which other work on the machine hardly changes. *Whole call* is how long Python waited, driver and records included. *First* is the first call after a restart of the server:
nothing is in its memory then. *Rows read* are the rows and index entries that the server touched. *One workflow, not
read before* is another one each time, from any day of the week: the server fetches its pages from the disk, and that takes
as long as the disk does. *One workflow by correlation id* is the same one again, as every other line here is the same
question again.
""",
        cases=cases,
        targets=list(_read_targets(at)),
    )


def _read_targets(at: Measured) -> Iterator[Target]:
    groups: dict[str, list[Taken]] = {}
    for one in at.reads:
        if one.read.bound_ms is not None:
            groups.setdefault(one.read.group or one.read.name, []).append(one)
    for name, taken in groups.items():
        slowest = max(taken, key=lambda one: median(one.server_ms))
        claim = f"{name}, on the server" + (f" (the slowest: {slowest.read.name})" if len(taken) > 1 else "")
        bound_ms = slowest.read.bound_ms
        assert bound_ms is not None  # see above
        yield Target(claim, median(slowest.server_ms), bound_ms, unit="ms")


def _disk(mariadb: Disk, sqlite: Disk) -> Result:
    places = (
        ("steps, rows", trace_step, False), ("steps, indexes", trace_step, True), ("sessions", workflow_session, None),
        ("metrics", performance_snapshot, None), ("their roll-ups", performance_rollup, None), ("errors", error_log, None),
        ("error groups", error_group, None),
    )  # fmt: skip
    cases = [
        Case(
            name,
            "ours",
            {
                **{
                    place: Figure.of([found.of(table, indexes=indexes) / found.steps], "By")
                    for place, table, indexes in places
                },
                "all": Figure.of([found.total / found.steps], "By"),
                "in the file system": Figure.of([found.file_bytes / found.steps], "By"),
            },
        )
        for name, found in (("MariaDB", mariadb), ("SQLite", sqlite))
    ]
    return Result(
        name="store_growth",
        title="What a span takes on disk",
        explanation=f"""\
Bytes of a store divided by its spans: {mariadb.steps:,} on MariaDB, {sqlite.steps:,} on SQLite. Sessions, metrics and errors
are counted per span, too; about ten steps make a session. How much the metrics take depends on the traffic: {PROCESSES}
processes write a row per component and minute, however little happens. What is *in the file system* beyond *all* are pages
that InnoDB allocates ahead, in each partition.

The columns are averages of the newest steps. What a row takes beyond its columns are its header, transaction id and
roll pointer (18 bytes), lengths and NULL bits, and pages that are not full; random ids leave the pages of their index
two thirds full.
""",
        cases=cases,
        tables={
            "A step by column": [
                {"column": name, "MariaDB, By": round(size, 1), "SQLite, By": round(sqlite.columns[name], 1)}
                for name, size in sorted(mariadb.columns.items(), key=lambda item: -item[1])
            ]
            + [_beyond(mariadb, sqlite)],
            "Tables and indexes": [
                {"table": table, "part": part, "MariaDB, By": _per_step(mariadb, table, part), "SQLite, By": _per_step(sqlite, table, part)}
                for table, part in sorted(mariadb.parts, key=lambda place: -mariadb.parts[place])
            ],
        },
    )  # fmt: skip


def _beyond(*disks: Disk) -> dict[str, Any]:
    sizes = [
        round(found.of(trace_step, indexes=False) / found.steps - sum(found.columns.values()), 1) for found in disks
    ]
    return {"column": "(beyond the columns)", "MariaDB, By": sizes[0], "SQLite, By": sizes[1]}


def _per_step(found: Disk, table: str, part: str) -> float:
    return round(found.parts.get((table, part), 0) / found.steps, 1)


def _growth(measured: list[Measured]) -> Result:
    rows = []
    for at in measured:
        row: dict[str, Any] = {"rows": at.steps, "written, steps/s": round(median(at.write_rates))}
        for one in at.reads:
            if one.read.group:
                continue
            row[f"{one.read.name}, ms"] = round(median(one.server_ms), 2)
        for group in dict.fromkeys(one.read.group for one in at.reads if one.read.group):
            slowest = max(median(one.server_ms) for one in at.reads if one.read.group == group)
            row[f"{group}, ms"] = round(slowest, 2)
        row["a step with all that belongs to it, By"] = round(at.disk.total / at.disk.steps)
        rows.append(row)
    return Result(
        name="store_growth",
        title="How it grows",
        explanation="""\
The same store at each size, in one load that pauses: the same traffic for longer, so the smallest holds twenty minutes and
the largest a week. Times are those on the server, the slowest of a group of reads. *Written* is the rate of the product's
own writer (batches of 512 steps with their sessions, errors, groups and metrics, one connection) for the last steps of
each size.
""",
        cases=[
            Case(
                f"{at.steps:,} steps",
                "ours",
                {
                    "written": Figure.of(at.write_rates, "steps/s"),
                    "a step with all that belongs to it": Figure.of([at.disk.total / at.disk.steps], "By"),
                },
            )
            for at in measured
        ],
        tables={"Growth": rows},
    )
