"""The processes of a run: one for each case, with the servers that they speak to."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.harness.cores import core_for_servers, core_for_the_measured
from benchmarks.harness.listing import modules_in
from benchmarks.sink import running_sink
from support.mariadb import MariaDBServer

CASES = modules_in(Path(__file__).with_name("cases"))


class CaseProcess:
    """A process that serves blocks of requests. Raises RuntimeError when it ends before it should.

    limit_s: after that it is killed, so that one that hangs does not lose what the others have found.
    """

    def __init__(
        self, name: str, environment: dict[str, str], *, below: Sequence[str] = (), limit_s: float = 900
    ) -> None:
        self.name = name
        # Instructions are the same on any core, and counted two processes at a time.
        with nullcontext() if below else core_for_the_measured():
            self._process = subprocess.Popen(
                [*below, sys.executable, "-m", "benchmarks.request_overhead.worker", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **environment},
            )
        self._limit = threading.Timer(limit_s, self._process.kill)
        self._limit.daemon = True
        self._limit.start()
        try:
            said = self._answer()
        except BaseException:
            self.close()
            raise
        self.title: str = said["title"]
        self.who: Any = said["who"]
        self.every: int = said["every"]

    @property
    def pid(self) -> int:
        return self._process.pid

    def serve(self, requests: int, way: str = "settle") -> dict[str, Any]:
        """Serve so many, send what waits, and return what both cost."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{requests} {way}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer tells
        return self._answer()

    def close(self) -> None:
        """End it."""
        self._limit.cancel()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # it has ended before
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of the case ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def servers_for_cases() -> Iterator[dict[str, str]]:
    """Start a MariaDB with the site's tables, and a sink. Gives the environment that names them to a case."""
    with ExitStack() as stack:
        with core_for_servers():
            server = MariaDBServer.create()
            stack.callback(server.remove)
            sink = stack.enter_context(running_sink())
        site_url = server.create_database()
        subprocess.run(
            [sys.executable, "-c", _MAKE_TABLES], check=True, env={**os.environ, "BENCHMARK_DATABASE_URL": site_url}
        )
        yield {
            "BENCHMARK_DATABASE_URL": site_url,
            "BENCHMARK_SINK_URL": sink,
            "E2EDEBUG_DATABASE_URL": server.create_database(),
        }


_MAKE_TABLES = """
from benchmarks.request_overhead.site import make_tables, site_settings
from django.conf import settings
settings.configure(**site_settings())
import django
django.setup()
make_tables()
"""
