"""Runs benchmarks, each in a process of its own, so that none changes another's imports, memory or instrumentation."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness.storing import Entry
from benchmarks.harness.surroundings import load, surroundings


def run_benchmark(name: str, *, quick: bool, limit_s: float) -> Entry:
    """Return the entry of one benchmark; one that fails, dies or takes longer than *limit_s* has an error instead of results.

    What it prints meanwhile goes to the terminal. Its temporary files and the processes that it leaves are gone after.
    """
    entry: Entry = {**surroundings(), "is_quick": quick, "load": {"start": load()}}
    began = time.monotonic()
    # Readable to others: a MariaDB started by root runs as a user of its own, and has its folder in it.
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    try:
        answer = _answer(name, folder, quick=quick, limit_s=limit_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    entry |= answer
    entry["duration_s"] = round(time.monotonic() - began, 1)
    entry["load"]["end"] = load()
    return entry


def _answer(name: str, folder: Path, *, quick: bool, limit_s: float) -> Entry:
    file = folder / "answer.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.harness.one", name, str(file), *(["--quick"] if quick else [])],
        env={**os.environ, "TMPDIR": str(folder), "XDG_STATE_HOME": str(folder)},  # the spool is in the latter
        start_new_session=True,  # a process group, to be ended whole
    )
    error = ""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        error = f"did not end within {limit_s:.0f} s"
    finally:
        _end_group(process)
    if not error and not file.exists():
        error = f"the process ended with exit code {process.returncode} and no result"
    if error:
        return {"results": [], "error": error}
    answer: Entry = json.loads(file.read_text(encoding="utf-8"))
    return answer


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End the benchmark's process and whatever it started and left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGTERM:
            time.sleep(0.5)  # children that end by themselves
    process.wait()
