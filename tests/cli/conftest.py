"""A clean environment, a clock in UTC and an empty working directory for every test of the command line."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.command import CLEAN_ENVIRONMENT, CommandLine


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("E2EDEBUG_", "OTEL_", "DJANGO_")) or name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
            monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("PATH", CLEAN_ENVIRONMENT["PATH"])
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def e2edebug(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, called as a function."""
    return CommandLine(capsys)
