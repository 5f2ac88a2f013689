"""What is known of a server's processes: how busy a worker is, how late a loop."""

import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mariadb import free_port
from support.site import Site

SITE = {
    "wsgi_top": "import e2edebug.auto",
    "asgi_top": "import e2edebug.auto",
}


@contextmanager
def served(site: Site, *command: str) -> Iterator[str]:
    """Run a server on the site and yield its address."""
    port = free_port()
    environ = site.environment({
        "E2EDEBUG_DATABASE_URL": f"sqlite:///{site.folder / 'store.sqlite3'}", "E2EDEBUG_METRIC_INTERVAL_S": "1.1",
    })  # fmt: skip
    with (site.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.replace("{port}", str(port)) for part in command)],
            cwd=site.folder, env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def get(url: str) -> None:
    """Get *url*, waiting for the server to come up."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                answer.read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def wait_for(store: Path, metric: str, url: str) -> dict[str, float]:
    """Send requests until *metric* is stored; return the highest value of each component."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        get(url)
        try:
            with sqlite3.connect(store) as connection:
                found = connection.execute(
                    "SELECT component, MAX(metric_value) FROM debugging_performance_snapshot"
                    " WHERE layer = 'system' AND metric_name = ? GROUP BY 1",
                    (metric,),
                ).fetchall()
            connection.close()
        except sqlite3.OperationalError:  # not migrated yet
            found = []
        if found:
            return dict(found)
        time.sleep(0.2)
    raise AssertionError(f"no {metric} within a minute")


@pytest.mark.parametrize("workers", [(), ("--threads", "2")])
def test_a_gunicorn_worker_says_how_busy_it_is(tmp_path: Path, workers: tuple[str, ...]) -> None:
    site = Site(tmp_path / "site", SITE)

    with served(
        site, "gunicorn", "site_project.wsgi", "--preload", "--bind", "127.0.0.1:{port}", "--workers", "1", *workers
    ) as address:
        busy = wait_for(site.folder / "store.sqlite3", "worker_busy", f"{address}/users/")
        usage = wait_for(site.folder / "store.sqlite3", "cpu_usage", f"{address}/users/")

    assert 0.0 < busy["process"] <= 100.0
    assert {"host", "process"} <= usage.keys()


def test_the_loop_of_uvicorn_says_how_late_it_is(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", SITE)

    with served(site, "uvicorn", "site_project.asgi:application", "--port", "{port}") as address:
        lag = wait_for(site.folder / "store.sqlite3", "event_loop_lag", f"{address}/users/")

    assert lag["process"] >= 0.0
