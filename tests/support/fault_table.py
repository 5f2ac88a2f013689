"""The fault matrix: what each fault cost, measured inside our own calls, as one line per fault.

A test of fault 9 is marked `@pytest.mark.fault(9)`. While it runs, every pipeline and every writer that it makes is
watched; at its end the books must balance and the host must not have waited. `make test-faults` prints the table.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.pipeline import Pipeline

FAULTS: Final = {
    1: "database refused for an hour",
    2: "database frozen, open connection",
    3: "database frozen, new connection",
    4: "network that swallows everything",
    5: "connection reset within a request",
    6: "reply lost after COMMIT",
    7: "database killed within a batch",
    8: "connection killed, or idle for too long",
    9: "too many connections (1040)",
    10: "read-only after a failover (1290)",
    11: "deadlock (1213)",
    12: "lock wait (1205)",
    13: "query killed (1317)",
    14: "database's disk full",
    15: "disk of a SQLite file full",
    16: "spool full, read-only, corrupt, torn",
    17: "SQLite, four writing processes",
    18: "queue overflow",
    19: "application killed (-9)",
    20: "SIGTERM without a handler",
    21: "gunicorn TERM, HUP, max_requests, preload",
    22: "Celery prefork exit, max_tasks_per_child",
    23: "fork after init",
    24: "store too slow at exit",
    25: "writing thread dies",
    26: "emoji, server's default is latin1",
    27: "lone surrogate",
    28: "NUL and control characters",
    29: "over-long name or value",
    30: "value above max_allowed_packet (1153)",
    31: "NaN and infinity",
    32: "deeply nested value",
    33: "integers beyond 64 bit, impossible times",
    34: "clock jumps by an hour",
    35: "batch delivered twice",
    36: "old writers during a migration",
    37: "DDL behind an idle reader",
    38: "eight processes create the tables",
    39: "tables or columns missing",
    40: "Galera certification conflict",
    41: "Galera node killed, frozen, quorum lost",
    42: "OTLP request broken",
    43: "OTLP request chunked",
    44: "OTLP bomb",
}
NOT_THERE: Final = dict.fromkeys((42, 43, 44), "there is no OTLP endpoint yet")
"""Rows of the matrix that concern what the product does not have, and why."""

MOST_CPU_MS: Final = 1.0
"""At p99, inside one call of ours on the host's thread."""
MOST_WAITING_MS: Final = 250.0
"""At p99, by the clock: far below every timeout of a store, far above what a busy machine takes from a thread."""
_FEWEST_CALLS: Final = 50
_PROPERTY: Final = "fault"


@dataclass
class FaultRow:
    """What became of everything that one test emitted, and how long its calls into us took."""

    emitted: int = 0
    stored: int = 0
    already_there: int = 0
    spooled: int = 0
    queued: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)

    def note(self, *, emitted: int, stored: int, spooled: int = 0, **dropped: int) -> None:
        """Count what happened in processes of their own, which nobody could watch."""
        self.emitted += emitted
        self.stored += stored
        self.spooled += spooled
        self.dropped.update(dropped)

    def add_books(self, books: dict[str, Any]) -> None:
        """Count what a pipeline says of itself."""
        self.emitted += books["emitted"]
        self.stored += books["stored"]
        self.already_there += books["already_there"]
        self.spooled += books.get("spooled", 0)
        self.queued += books["queued"]
        self.dropped.update(books["dropped"])

    @property
    def is_balanced(self) -> bool:
        """The invariant of every row of the matrix."""
        lost = sum(self.dropped.values())
        return self.emitted == self.stored + self.already_there + self.spooled + self.queued + lost


@pytest.fixture
def fault_row() -> FaultRow:
    """What a test of the fault matrix counts by itself."""
    return FaultRow()


@pytest.fixture(autouse=True)
def _fault_is_measured(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> Iterator[None]:
    marks = [number for mark in request.node.iter_markers("fault") for number in mark.args]
    if not marks:
        yield
        return
    assert set(marks) <= FAULTS.keys(), marks
    row: FaultRow = request.getfixturevalue("fault_row")
    pipelines: list[Pipeline] = []
    _watch_pipelines(monkeypatch, pipelines, row)
    _watch_writers(monkeypatch, pipelines, row)
    yield
    for pipeline in pipelines:
        row.add_books(pipeline.stats())
    record_property(_PROPERTY, {"faults": marks, **_as_property(row)})
    assert row.is_balanced, row
    if len(row.cpu_ms) >= _FEWEST_CALLS:
        assert p99(row.cpu_ms) < MOST_CPU_MS, "our calls took too much of the host's processor"
        assert p99(row.wall_ms) < MOST_WAITING_MS, "our calls waited for something"


def _watch_pipelines(monkeypatch: pytest.MonkeyPatch, pipelines: list[Pipeline], row: FaultRow) -> None:
    begin, put = Pipeline.__init__, Pipeline._put

    def watched_begin(self: Pipeline, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        pipelines.append(self)

    def watched_put(self: Pipeline, *args: Any) -> None:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        try:
            put(self, *args)
        finally:
            row.cpu_ms.append((time.thread_time_ns() - cpu) / 1e6)
            row.wall_ms.append((time.perf_counter_ns() - wall) / 1e6)

    monkeypatch.setattr(Pipeline, "__init__", watched_begin)
    monkeypatch.setattr(Pipeline, "_put", watched_put)


def _watch_writers(monkeypatch: pytest.MonkeyPatch, pipelines: list[Pipeline], row: FaultRow) -> None:
    """Count what tests write without a pipeline, whose own books say it otherwise."""
    write = BatchWriter.write

    def watched_write(self: BatchWriter, *args: Any, **options: Any) -> Any:
        if pipelines:
            return write(self, *args, **options)
        try:
            result = write(self, *args, **options)
        except StoreUnavailable as unavailable:  # what remains is counted when it is written again
            _add_result(row, unavailable.result)
            raise
        _add_result(row, result)
        return result

    monkeypatch.setattr(BatchWriter, "write", watched_write)


def _add_result(row: FaultRow, result: Any) -> None:
    row.note(emitted=result.settled, stored=result.stored, **result.dropped)
    row.already_there += result.already_there


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def _as_property(row: FaultRow) -> dict[str, Any]:
    return {
        "emitted": row.emitted,
        "stored": row.stored,
        "already_there": row.already_there,
        "spooled": row.spooled,
        "queued": row.queued,
        "dropped": dict(row.dropped),
        "longest_wait_ms": max(row.wall_ms, default=None),
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table after a run that was about faults."""
    if "fault" in (config.option.markexpr or ""):
        for line in table(terminalreporter.stats):
            terminalreporter.write_line(line)


def table(stats: dict[str, list[Any]]) -> Iterator[str]:
    """Yield the lines: one per fault, its tests added up."""
    lines: dict[int, dict[str, Any]] = {}
    bad = {report.nodeid for outcome in ("failed", "error") for report in stats.get(outcome, [])}
    for reports in list(stats.values()):
        for report in reports:
            # Recorded when the test is torn down, hence not part of what its call reported.
            properties = dict(getattr(report, "user_properties", ())).get(_PROPERTY)
            if properties is not None and report.when == "teardown":
                for number in properties["faults"]:
                    _add_to_line(lines.setdefault(number, {}), properties, is_bad=report.nodeid in bad)
    header = ("emitted", "stored", "there", "spooled", "queued", "dropped by reason", "longest wait", "result")
    yield "{:>2} {:<42} {:>8} {:>8} {:>6} {:>8} {:>7}  {:<28} {:>12}  {}".format("#", "fault", *header)
    for number, name in FAULTS.items():
        yield _line(number, name, lines.get(number))


def _add_to_line(line: dict[str, Any], properties: dict[str, Any], *, is_bad: bool) -> None:
    for column in ("emitted", "stored", "already_there", "spooled", "queued"):
        line[column] = line.get(column, 0) + properties[column]
    line["dropped"] = Counter(line.get("dropped", {})) + Counter(properties["dropped"])
    waits = [wait for wait in (line.get("wait"), properties["longest_wait_ms"]) if wait is not None]
    line["wait"] = max(waits, default=None)
    line["tests"] = line.get("tests", 0) + 1
    line["failed"] = line.get("failed", 0) + is_bad


def _line(number: int, name: str, line: dict[str, Any] | None) -> str:
    if line is None:
        return f"{number:>2} {name:<42} {NOT_THERE.get(number, 'not in this run')}"
    dropped = ", ".join(f"{reason} {count:,}" for reason, count in sorted(line["dropped"].items())) or "-"
    wait = "-" if line["wait"] is None else f"{line['wait']:.2f} ms"
    result = f"{line['failed']} of {line['tests']} FAILED" if line["failed"] else f"{line['tests']} passed"
    return (
        f"{number:>2} {name:<42} {line['emitted']:>8,} {line['stored']:>8,} {line['already_there']:>6,} "
        f"{line['spooled']:>8,} {line['queued']:>7,}  {dropped:<28} {wait:>12}  {result}"
    )
