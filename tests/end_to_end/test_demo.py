"""`examples/shop/demo.py`, as `make demo` runs it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from end_to_end.shop_run import SHOP, environment_of_shop


@pytest.fixture
def work_folder(tmp_path: Path, sqlite_shop: Path) -> Path:
    """A work folder whose shop has its goods already."""
    shutil.copy(sqlite_shop, tmp_path)
    return tmp_path


def demo_environment(**extra: str) -> dict[str, str]:
    return {**os.environ, **environment_of_shop({}), **extra}


def start_demo(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SHOP / "demo.py"), "--work-folder", str(folder), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=demo_environment(**environment)
    )


def processes_of(folder: Path) -> list[list[str]]:
    """Return the command lines of what the demo with this work folder has left running."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SHOP_WORK_FOLDER") == str(folder):
                found.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_the_demo_says_what_broke_and_leaves_nothing_running(work_folder: Path) -> None:
    demo = start_demo(work_folder, "--once", "--seconds", "8")

    said, _ = demo.communicate(timeout=90)

    assert demo.returncode == 0, said
    assert re.search(r"checkout: [1-9][0-9]* of [0-9]+ failed", said), said
    assert "PaymentTimeoutError" in said
    assert "serializers.py:" in said
    assert "payment-provider" in said.partition("The worst checkout")[2]
    assert processes_of(work_folder) == []


def test_ctrl_c_ends_the_demo_and_all_that_it_started(work_folder: Path) -> None:
    demo = start_demo(work_folder, "--seconds", "8")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "all is well" in line:
            break

    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=30)

    assert demo.returncode == 0, said
    assert "nothing is left running" in said
    assert processes_of(work_folder) == []


def test_the_demo_fails_when_no_telemetry_arrives(work_folder: Path) -> None:
    demo = start_demo(work_folder, "--once", "--seconds", "4", E2EDEBUG_ENABLED="0")

    said, _ = demo.communicate(timeout=90)

    assert demo.returncode == 1
    assert "0 of 1 answered requests are in the store" in said
    assert processes_of(work_folder) == []
