"""Our threads take no signal from the host: each is run with all of them at work, in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2edebug_exporters.rest_on_disk import ends_within

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads Linux's /proc/PID/task")

_PROGRAM = """
import os
import signal
import threading
import time
from pathlib import Path

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
import e2edebug.auto
from e2edebug import flush, workflow

with workflow("buying"):
    pass
flush()
deadline = time.monotonic() + 30
while len(threading.enumerate()) < 4 and time.monotonic() < deadline:
    time.sleep(0.05)
for thread in sorted(threading.enumerate(), key=lambda one: one.name):
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    names = [one.name for one in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGSEGV) if blocked >> one - 1 & 1]
    print(thread.name, *names)

# The default action of SIGTERM, to a process whose only thread of its own blocks it.
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.2)
print("pending", signal.SIGTERM in signal.sigpending())
"""


def run_with_all_threads(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program in which each kind of thread that e2edebug has is at work."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False,
        env={
            **os.environ,
            "E2EDEBUG_DATABASE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
            "E2EDEBUG_DURABILITY": "spool-first",
            "E2EDEBUG_SPOOL_DIR": str(folder / "spool"),
            "E2EDEBUG_EVALUATE_IN_BACKGROUND": "1",
        },
    )  # fmt: skip


def test_a_signal_that_the_host_blocks_stays_pending_while_our_threads_run(tmp_path: Path) -> None:
    run = run_with_all_threads(_PROGRAM, tmp_path)

    assert run.returncode == 0, run.stderr
    ours = "SIGTERM SIGINT SIGCHLD"
    assert run.stdout.splitlines() == [
        "MainThread SIGTERM",
        f"e2edebug-alerts {ours}",
        f"e2edebug-pipeline {ours}",
        f"e2edebug-spool-relief {ours}",
        "pending True",
    ]


def test_the_thread_of_an_exit_that_puts_on_disk_what_waits_takes_none_either() -> None:
    blocked: list[set[int]] = []

    assert ends_within(30, lambda: blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    assert {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD} <= blocked[0]
    assert signal.SIGSEGV not in blocked[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


_GREENLETS = """
from gevent import monkey
monkey.patch_all()
import os
import signal
import time
import e2edebug.auto
from e2edebug import flush, workflow

with workflow("buying"):
    pass
print(flush(30))
time.sleep(0.1)
print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0.1)
"""


def test_where_threads_are_greenlets_the_host_hears_its_signals(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    run = run_with_all_threads(_GREENLETS, tmp_path)

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["True", "[]", "heard"]
