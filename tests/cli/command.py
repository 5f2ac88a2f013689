"""The command line called as a function and as a process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2edebug.cli import main

CLEAN_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("E2EDEBUG_", "OTEL_", "DJANGO_", "PYTHONPATH", "COLUMNS", "FORCE_COLOR", "NO_COLOR"))
} | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}", "TZ": "UTC"}
"""What a user's shell has, with the interpreter of this test run first."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """Calls `main(argv)` in the working directory of the test."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *argv: str) -> Outcome:
        self.capture.readouterr()
        code = main(argv)
        captured = self.capture.readouterr()
        return Outcome(code, captured.out, captured.err)


def run_process(
    *argv: str, cwd: Path, environ: Mapping[str, str] | None = None, timeout_s: float = 180
) -> subprocess.CompletedProcess[str]:
    """Run `e2edebug` as users do, piped."""
    return subprocess.run(
        [sys.executable, "-m", "e2edebug.cli", *argv],
        cwd=cwd,
        env=CLEAN_ENVIRONMENT | dict(environ or {}),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
