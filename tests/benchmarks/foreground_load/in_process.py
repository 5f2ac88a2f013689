"""Requests that one thread of a process makes, while the exporter works in another thread of it."""

import importlib
import json
import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import unquote, urlsplit

QUERIES = 5
INTERNAL = 4
WORK_S = 0.0009


class InProcess:
    """A process that makes requests when it is told to."""

    title = "One request while the exporter works"
    claim = "In one process"
    requests_a_second = 100
    spans_a_request = 10
    rounds = 5
    explanation = f"""\
A thread does {WORK_S * 1000} ms of Python's work, makes {QUERIES} queries of MariaDB (`SELECT 1`) and records ten spans; the
exporter runs beside it. Each wait for the database gives Python's interpreter lock to the exporter. An exporter that keeps
it as long as it computes has it taken away after 5 ms, at each of these waits anew; ours gives it away by itself every
half millisecond, between two rows."""

    def __init__(self, peer: str, site_url: str, store_url: str, sink_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.foreground_load.in_process", peer, site_url, store_url, sink_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        self._answer()

    def serve(self, requests: int, rate: float) -> list[float]:
        """Return the milliseconds that each request took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests} {rate}\n")
        self._process.stdin.flush()
        found: list[float] = self._answer()
        return found

    def close(self) -> None:
        """Let it send what waits, and end it."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process ended with exit code {self._process.wait()}")
        return json.loads(line)


def main(peer: str, site_url: str, store_url: str, sink_url: str) -> None:
    """Make requests until the input ends."""
    import pymysql

    provider = importlib.import_module(f"benchmarks.foreground_load.peers.{peer}").provider(store_url, sink_url)
    url = urlsplit(site_url)
    connection = pymysql.connect(
        host=url.hostname or "", port=url.port or 0, user=url.username, password=unquote(url.password or "")
    )
    request = _request(provider.get_tracer("benchmark"), connection, _loops_for(WORK_S))
    print("{}", flush=True)
    for line in sys.stdin:
        count, rate = line.split()
        times = paced(request, int(count), float(rate))
        provider.force_flush()  # what is left would be sent within the block of the next case
        print(json.dumps(times), flush=True)
    provider.force_flush()
    provider.shutdown()


def paced(request: Any, count: int, rate: float) -> list[float]:
    """Make requests at a steady rate and return the milliseconds from when each was due to when it was done."""
    times = []
    due = time.perf_counter()
    for _ in range(count):
        due += 1 / rate
        pause = due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        request()
        times.append((time.perf_counter() - due) * 1e3)
    return times


def _request(tracer: Any, connection: Any, loops: int) -> Any:
    from opentelemetry.trace import SpanKind

    def request() -> None:
        attributes = {"http.request.method": "GET", "http.route": "products/<int:pk>/", "url.path": "/products/17/"}
        with tracer.start_as_current_span("GET products/<int:pk>/", kind=SpanKind.SERVER, attributes=attributes):
            _compute(loops)
            for number in range(QUERIES):
                query = {
                    "db.system.name": "mysql",
                    "db.query.text": "SELECT 1",
                    "db.collection.name": f"table_{number}",
                }
                with (
                    tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes=query),
                    connection.cursor() as cursor,
                ):
                    cursor.execute("SELECT 1")
                    cursor.fetchall()
            for _ in range(INTERNAL):
                with tracer.start_as_current_span("render", attributes={"template": "products/detail.html"}):
                    pass

    return request


def _compute(loops: int) -> int:
    found = 0
    for number in range(loops):
        found ^= number * number
    return found


def _loops_for(duration_s: float) -> int:
    """Return how many loops take so long on this machine at its best."""
    loops = 1000
    best = min(_seconds(loops) for _ in range(50))
    return round(loops * duration_s / best)


def _seconds(loops: int) -> float:
    began = time.perf_counter()
    _compute(loops)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:5])
