"""How many instructions a case executes for a request, counted by valgrind's callgrind.

A block of requests and one twice as long are counted; their difference is what the additional requests take, and what
happens once a block (the sending of metrics, a transaction's begin and commit) falls out, and is known as well.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.callgrind import tell, total
from benchmarks.request_overhead.case_process import CaseProcess

# Valgrind makes a process some fifty times slower, so nothing may happen because time has passed.
_PATIENCE = {
    "E2EDEBUG_FLUSH_INTERVAL_S": "1000",
    "E2EDEBUG_METRIC_INTERVAL_S": "100000",
    "E2EDEBUG_READ_TIMEOUT_S": "600",
    "E2EDEBUG_RETENTION_RUNNER": "off",
    "OTEL_BSP_SCHEDULE_DELAY": "1000000",
    "PYTHONHASHSEED": "0",
}


_LIMIT_S = 420
WARM = 100
"""Requests before anything is counted: what the writing thread learns of a site (its steps, statements) it knows then."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """Of one case."""

    caller: float
    """Of the thread that serves, for a request."""
    others: float
    """Of all other threads, for a request."""
    others_once: float
    """Of all other threads, whenever everything is flushed."""

    @property
    def all(self) -> float:
        """Of the process, for a request."""
        return self.caller + self.others


def count_instructions(
    names: list[str], environment: dict[str, str], *, requests: int
) -> tuple[dict[str, Instructions], dict[str, str]]:
    """Return the counts of each case, and why those that are missing could not be counted.

    Two at a time: counts do not change when something else runs.
    """
    counts, failures = {}, {}
    with ThreadPoolExecutor(2) as pool:
        waiting = {name: pool.submit(_count, name, environment, requests) for name in names}
        for name, one in waiting.items():
            try:
                counts[name] = one.result()
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                failures[name] = str(error)
    return counts, failures


def _count(name: str, environment: dict[str, str], requests: int) -> Instructions:
    with TemporaryDirectory(prefix="callgrind-") as folder:
        valgrind = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "-q",
            f"--callgrind-out-file={folder}/out",
        ]  # fmt: skip
        case = CaseProcess(name, {**environment, **_PATIENCE}, below=valgrind, limit_s=_LIMIT_S)
        try:
            case.serve(0, "stand_still")
            case.serve(WARM, "flush")
            tell(case.pid, "--instr=on")
            case.serve(5, "flush")
            tell(case.pid, "--zero")
            case.serve(requests, "flush")
            tell(case.pid, "--dump")
            case.serve(2 * requests, "flush")
            tell(case.pid, "--dump")
        finally:
            case.close()
        once, twice = _threads(Path(folder), 1), _threads(Path(folder), 2)
    others = sum(twice.values()) - sum(once.values()) - (twice[1] - once[1])
    return Instructions(
        caller=(twice[1] - once[1]) / requests,
        others=others / requests,
        others_once=sum(once.values()) - once[1] - others,
    )


def _threads(folder: Path, part: int) -> dict[int, int]:
    """Return the instructions of each thread in the dump of that number."""
    found = {}
    for file in folder.glob(f"out.{part}-*"):
        found[int(file.name.rpartition("-")[2])] = total(file)
    if 1 not in found:
        raise RuntimeError("callgrind left no counts")
    return found
