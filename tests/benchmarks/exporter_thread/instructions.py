"""How many instructions each exporter executes for a span: the same whatever else the machine does."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.callgrind import tell, total
from benchmarks.exporter_thread import BATCH
from benchmarks.sink import running_sink
from support.mariadb import MariaDBServer

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

WARM, COUNTED = 3, 2
"""Blocks: what an exporter learns of spans it knows then."""
_LIMIT_S = 420


def count_instructions(names: Sequence[str]) -> dict[str, float]:
    """Return the instructions of each exporter, a span. Raises RuntimeError when the process ends before it should."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="callgrind-")))
        server = MariaDBServer.create()
        stack.callback(server.remove)
        stores = {name: server.create_database() for name in names}
        for url in stores.values():  # below valgrind it takes longer than an export may
            engine = create_store_engine(url)
            migrate(engine)
            engine.dispose()
        process = subprocess.Popen(
            [
                "valgrind", "--tool=callgrind", "--instr-atstart=no", "-q", f"--callgrind-out-file={folder}/out",
                sys.executable, "-m", "benchmarks.exporter_thread.counted_process",
                server.create_database(), stack.enter_context(running_sink()),
                *(f"{name}={url}" for name, url in stores.items()),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            # Some fifty times slower, no call to the store is a slow one.
            env={**os.environ, "E2EDEBUG_READ_TIMEOUT_S": "600", "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        limit = threading.Timer(_LIMIT_S, process.kill)
        limit.start()
        stack.callback(process.wait)
        stack.callback(limit.cancel)
        assert process.stdin is not None
        stack.callback(process.stdin.close)
        _hear(process)
        counts = {}
        for number, name in enumerate(names, 1):
            tell(process.pid, "--instr=on")
            _export(process, name, 0, WARM)
            tell(process.pid, "--zero")
            _export(process, name, WARM, COUNTED)
            tell(process.pid, "--dump")
            tell(process.pid, "--instr=off")
            counts[name] = total(folder / f"out.{number}") / (COUNTED * BATCH)
        return counts


def _export(process: subprocess.Popen[str], name: str, first: int, blocks: int) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{name} {first} {blocks}\n")
    process.stdin.flush()
    _hear(process)


def _hear(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError(f"the process ended with exit code {process.wait()}")
