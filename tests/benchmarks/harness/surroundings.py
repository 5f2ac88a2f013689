"""Where a measurement was made: machine, commit, and the versions of all that took part."""

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import tomllib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]


def surroundings() -> dict[str, Any]:
    """Return what is stored beside a result."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, Any]:
    """Return processor, cores and memory."""
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
    }


def load() -> float:
    """Return how many processes ran or wanted to in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor()


def commit() -> str:
    """Return the commit that was measured, with `+changes` where files differ from it; empty outside a repository."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return ""
    # The results themselves are written by the run.
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", ".", ":!tests/benchmarks/results", ":!docs", ":!README.md"],
        capture_output=True,
        text=True,
    )
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def versions() -> dict[str, str]:
    """Return the versions of Python, of the databases and of every package that the product or a benchmark names."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    server = _server_version()
    if server:
        found["MariaDB"] = server
    for name in _named_packages():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _server_version() -> str:
    path = shutil.which("mariadbd")
    if path is None:
        return ""
    said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    number = re.search(r"\d+\.\d+\.\d+", said)
    return number[0] if number else said.strip()


def _named_packages() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        requirements += extra
    for group in ("test", "bench"):
        requirements += [one for one in project["dependency-groups"][group] if isinstance(one, str)]
    names = {match[0] for one in requirements if (match := re.match(r"[A-Za-z0-9._-]+", one))}
    return sorted(names - {"e2edebug"} | {"opentelemetry-instrumentation", "protobuf"}, key=str.lower)
