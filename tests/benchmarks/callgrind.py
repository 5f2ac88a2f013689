"""Counts the instructions of a whole process with valgrind's callgrind: the same whatever else the machine does."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory


def can_count() -> bool:
    """Say whether valgrind is installed."""
    return all(shutil.which(name) for name in ("valgrind", "callgrind_control"))


def instructions_of(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return how many instructions *command* executes from its start to its end, in all threads.

    Raises subprocess.CalledProcessError when it fails.
    """
    with TemporaryDirectory(prefix="callgrind-") as folder:
        file = Path(folder) / "out"
        subprocess.run(
            ["valgrind", "--tool=callgrind", "-q", f"--callgrind-out-file={file}", *command],
            check=True,
            capture_output=True,
            env={**os.environ, **environment, "PYTHONHASHSEED": "0"},
        )
        return total(file)


def tell(pid: int, what: str) -> None:
    """Send a command of callgrind_control to a process below callgrind."""
    subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True, timeout=120)


def total(file: Path) -> int:
    """Return the instructions of one file that callgrind wrote."""
    with file.open(errors="replace") as lines:
        for line in lines:
            if found := re.match(r"(?:totals|summary): (\d+)", line):
                return int(found[1])
    raise RuntimeError(f"callgrind left no counts in {file.name}")
