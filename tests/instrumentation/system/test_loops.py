"""Servers whose concurrency is not that of threads: greenlets, and loops that are not asyncio's own."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.mariadb import free_port
from support.site import Site

AUTO = {"wsgi_top": "import e2edebug.auto", "asgi_top": "import e2edebug.auto"}
STEPS = (
    "SELECT correlation_id, layer, trace_id, span_id, parent_span_id, status FROM debugging_trace_step"
    " WHERE correlation_id LIKE 'r-%'"
)
HIGHEST = (
    "SELECT MAX(metric_value) FROM debugging_performance_snapshot"
    " WHERE layer = 'system' AND component = 'process' AND metric_name = :name"
)
# What stalls a whole process: a collection of many objects, and a view that sleeps in the loop.
STALL = """
import gc
import time

from django.utils.decorators import async_only_middleware

kept = [[number] for number in range(400_000)]


@async_only_middleware
def stall(get_response):
    async def middleware(request):
        began = time.perf_counter()
        gc.collect()
        took_ms = 1000 * (time.perf_counter() - began)
        time.sleep(0.8)  # longer than a tick: stalls that end just as one is due would hide from it
        response = await get_response(request)
        response["X-Collection-Ms"] = str(took_ms)
        return response

    return middleware
"""


@contextmanager
def served(site: Site, url: str, *command: str) -> Iterator[str]:
    """Run a server on the site and yield its address; at the end what it left in its log must be no traceback."""
    port = free_port()
    environ = site.environment({"E2EDEBUG_DATABASE_URL": url, "E2EDEBUG_METRIC_INTERVAL_S": "1.1"})
    log = site.folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.replace("{port}", str(port)) for part in command)],
            cwd=site.folder, env=environ, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)
    assert "Traceback" not in log.read_text()


def get(url: str, correlation_id: str = "") -> Any:
    """Get *url*, waiting for the server to come up; return the headers of the answer."""
    deadline = time.monotonic() + 60
    request = urllib.request.Request(url, headers={"X-Correlation-ID": correlation_id} if correlation_id else {})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            return answer.headers
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def stored_steps(url: str, ids: set[str]) -> Sequence[sa.Row[Any]]:
    """Return the steps once those of every workflow are there: uvicorn ends by the signal that ends it."""
    store = sa.create_engine(url)
    deadline = time.monotonic() + 60
    found: Sequence[sa.Row[Any]] = []
    while time.monotonic() < deadline and {step.correlation_id for step in found if step.layer == "api"} != ids:
        time.sleep(0.2)
        try:
            with store.connect() as connection:
                found = connection.execute(sa.text(STEPS)).all()
        except sa.exc.DBAPIError:  # not migrated yet, or SQLite's writers take turns
            continue
    store.dispose()
    return found


@pytest.mark.parametrize(
    "server",
    [
        ("gunicorn", "site_project.wsgi", "--worker-class", "gevent", "--workers", "2", "--bind", "127.0.0.1:{port}"),
        ("uvicorn", "site_project.asgi:application", "--loop", "uvloop", "--port", "{port}"),
    ],
    ids=["gevent", "uvloop"],
)
def test_requests_that_run_at_once_keep_their_steps_apart(
    server: tuple[str, ...], empty_store_url: str, tmp_path: Path
) -> None:
    pytest.importorskip("gevent" if "gevent" in server else "uvloop")
    site = Site(tmp_path / "site", AUTO)
    ids = [f"r-{number}" for number in range(30)]

    with served(site, empty_store_url, *server) as address:
        get(f"{address}/users/")
        with ThreadPoolExecutor(10) as pool:
            [*pool.map(lambda one: get(f"{address}/users/", one), ids)]
        steps = stored_steps(empty_store_url, {*ids})

    if "gevent" in server:  # killed at the end of gunicorn's patience, a worker would not say so
        assert (site.folder / "server.log").read_text().count("Worker exiting") == 2
    assert sorted({step.correlation_id for step in steps}) == sorted(ids)
    for one in ids:
        own = [step for step in steps if step.correlation_id == one]
        (root,) = [step for step in own if step.layer == "api"]
        assert root.parent_span_id is None
        queries = [step for step in own if step.layer == "database"]
        assert queries
        spans = {step.span_id for step in own}
        assert {step.trace_id for step in queries} == {root.trace_id}
        assert {step.parent_span_id for step in queries} <= spans
        assert {step.status for step in own} == {"completed"}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_stalled_process_says_by_what_and_for_how_long(loop: str, empty_store_url: str, tmp_path: Path) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    site = Site(tmp_path / "site", {**AUTO, "settings_bottom": 'MIDDLEWARE = ["site_project.stall.stall"]'})
    (site.folder / "site_project" / "stall.py").write_text(STALL)
    store = sa.create_engine(empty_store_url)
    collection_ms = 0.0

    def highest(name: str) -> float:
        try:
            with store.connect() as connection:
                return float(connection.execute(sa.text(HIGHEST), {"name": name}).scalar() or 0.0)
        except sa.exc.DBAPIError:  # not migrated yet
            return 0.0

    with served(
        site, empty_store_url, "uvicorn", "site_project.asgi:application", "--loop", loop, "--port", "{port}"
    ) as address:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (highest("event_loop_lag") < 100 or highest("gc_pause") == 0):
            collection_ms = max(collection_ms, float(get(f"{address}/users/")["X-Collection-Ms"]))

    assert 100 <= highest("event_loop_lag") < 60_000
    assert highest("gc_pause") >= 0.5 * collection_ms > 0
    assert 0 < highest("gc_time") <= 100
    store.dispose()
