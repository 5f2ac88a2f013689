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

    said, _ = demo.communicate(timeout=240)

    assert demo.returncode == 0, said
    assert re.search(r"checkout: [1-9][0-9]* of [0-9]+ failed", said), said
    assert "PaymentTimeoutError" in said
    assert "serializers.py:" in said
    assert "payment-provider" in said.partition("The worst checkout")[2]
    assert processes_of(work_folder) == []
    by_chapter = [int(count) for count in re.findall(r"(\d+) requests +\d+ failed$", said, re.MULTILINE)]
    assert f"  {sum(by_chapter):,} requests answered, all of them stored." in said
    assert "health" not in said
    assert not re.search(r"\b1 (requests|runs|times)\b", said), said
    assert "SELECT ..." not in said
    (export, *_), (show, *_) = (
        re.findall(rf"^ +({word}\S* .*)$", said, re.MULTILINE) for word in ("export", r"\S+/e2e")
    )
    assert said.index(export) < said.index(show)
    pasted = subprocess.run(
        ["sh", "-c", f"{export}\n{show}"], env=demo_environment(), capture_output=True, text=True, check=False
    )
    assert (pasted.returncode, pasted.stderr) == (0, "")


def test_the_first_line_is_printed_before_anything_slow_is_loaded() -> None:
    """On a machine that has just installed everything SQLAlchemy alone takes a second."""
    loaded = f"import sys; sys.path.insert(0, {str(SHOP)!r}); import demo; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()

    assert "demo" in modules
    assert {"sqlalchemy", "django", "demonstration"}.isdisjoint(modules)


def test_ctrl_c_ends_the_demo_and_all_that_it_started(work_folder: Path) -> None:
    demo = start_demo(work_folder, "--seconds", "8")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "all is well" in line:
            break

    demo.send_signal(signal.SIGINT)
    said, _ = demo.communicate(timeout=120)

    assert demo.returncode == 0, said
    assert "nothing is left running" in said
    assert processes_of(work_folder) == []


def test_the_demo_fails_when_no_telemetry_arrives(work_folder: Path) -> None:
    demo = start_demo(work_folder, "--once", "--seconds", "4", E2EDEBUG_ENABLED="0")

    said, _ = demo.communicate(timeout=240)

    assert demo.returncode == 1
    assert "0 of 1 answered requests are in the store" in said
    assert processes_of(work_folder) == []
