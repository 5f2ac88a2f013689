"""Requests that a client sends to a Django project behind a server, while the exporter works in the server's process."""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from support.mariadb import free_port

CONNECTIONS = 4

_PROJECT = """\
A Django REST framework view with {queries} ORM queries and {steps} spans of the application's own, {server}, with one
worker process. The client sends over {connections} connections. The peers stand behind OpenTelemetry's own
instrumentations of Django and PyMySQL; e2edebug is `import e2edebug.auto`."""


class _Served:
    """A server with one worker, in processes of its own."""

    title = ""
    claim = ""
    explanation = ""
    # Few requests with many spans: a server that the requests alone keep busy tells nothing of its exporter.
    requests_a_second = 25
    spans_a_request = 40
    rounds = 5

    def __init__(self, peer: str, site_url: str, store_url: str, sink_url: str) -> None:
        self._port = free_port()
        environment = {
            **os.environ,
            "BENCHMARK_PEER": peer,
            "BENCHMARK_DATABASE_URL": site_url,
            "BENCHMARK_STORE_URL": store_url,
            "BENCHMARK_SINK_URL": sink_url,
        }
        subprocess.run(
            [sys.executable, "-c", "from benchmarks.foreground_load.project import make_tables; make_tables()"],
            env=environment,
            check=True,
        )
        self._process = subprocess.Popen(self._command(self._port), env=environment)
        self._wait_until_it_answers()

    def _command(self, port: int) -> Sequence[str]:
        raise NotImplementedError

    def serve(self, requests: int, rate: float) -> list[float]:
        """Return the milliseconds that each request took."""
        each = requests // CONNECTIONS
        times: list[float] = []
        problems: list[Exception] = []
        began = time.perf_counter() + 0.05

        def send(number: int) -> None:
            try:
                times.extend(self._send(each, began + number / rate, CONNECTIONS / rate))
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                problems.append(error)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise RuntimeError(f"a request failed: {problems[0]!r}")
        return times

    def _send(self, count: int, first_due: float, interval_s: float) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        times = []
        for number in range(count):
            due = first_due + number * interval_s
            pause = due - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            connection.request("GET", f"/products/{number % 50}/")
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - due) * 1e3)
            if answer.status != 200:
                raise RuntimeError(f"the server answered {answer.status}")
        connection.close()
        return times

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                connection.request("GET", "/products/0/")
                connection.getresponse().read()
                connection.close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise RuntimeError(f"the server did not start: exit code {self._process.returncode}") from None
                time.sleep(0.1)

    def close(self) -> None:
        """Let it finish and send what waits."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _explained(server: str) -> str:
    from benchmarks.foreground_load.project import STEPS
    from benchmarks.request_overhead.site import QUERIES

    return _PROJECT.format(queries=QUERIES, steps=STEPS, server=server, connections=CONNECTIONS)


class Gunicorn(_Served):
    """Threads: gunicorn's `gthread` worker."""

    title = "One request behind gunicorn, while the exporter works"
    claim = "Behind gunicorn with threads"
    explanation = _explained("behind gunicorn with four threads (WSGI)")

    def _command(self, port: int) -> Sequence[str]:
        return [
            sys.executable, "-m", "gunicorn", "--workers=1", "--worker-class=gthread", f"--threads={CONNECTIONS}",
            f"--bind=127.0.0.1:{port}", "--log-level=warning", "benchmarks.foreground_load.project:make_wsgi()",
        ]  # fmt: skip


class Uvicorn(_Served):
    """One event loop: uvicorn."""

    title = "One request behind uvicorn, while the exporter works"
    claim = "Behind uvicorn (ASGI)"
    explanation = _explained("behind uvicorn (ASGI; Django runs the view, which is no coroutine, in a thread)")

    def _command(self, port: int) -> Sequence[str]:
        return [
            sys.executable, "-m", "uvicorn", "--factory", "--host=127.0.0.1", f"--port={port}", "--log-level=warning",
            "--lifespan=off", "benchmarks.foreground_load.project:make_asgi",
        ]  # fmt: skip
