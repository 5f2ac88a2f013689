"""A program of its own whose lines a test waits for."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

from .test_forks_and_exits import environment_of, program


class Program:
    """A program under way whose lines can be waited for."""

    def __init__(self, body: str, url: str, folder: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(program(body, folder))],
            env=environment_of(url) | environment, cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def line(self) -> str:
        """Return its next line."""
        return self._lines.get(timeout=120)

    def last_line(self) -> str:
        """Return the last of the lines so far, after waiting for one."""
        line = self.line()
        while not self._lines.empty():
            line = self._lines.get()
        return line

    def end(self, number: signal.Signals) -> int:
        """Send it a signal and return what it ends with."""
        self._process.send_signal(number)
        return self._process.wait(120)

    def wait(self) -> int:
        """Wait for its own end and return what it ends with."""
        return self._process.wait(120)
