"""Real processes that fork and end in every usual way: each span is stored once, none by the wrong process.

Nothing is written before the end (the flush interval is an hour), so that every row counted here was saved by an exit.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.fault_table import FaultRow
from support.mariadb import free_port

PROLOGUE = """
import json, os, sys, threading, time
from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from opentelemetry.sdk.trace import TracerProvider

INTERVAL_S = float(os.environ.get("TEST_INTERVAL_S", "3600"))
settings = {"flush_interval_s": INTERVAL_S, "exit_timeout_s": 60.0, "metric_interval_s": 3600.0}
settings |= json.loads(os.environ.get("TEST_SETTINGS", "{}"))
pipeline = Pipeline(os.environ["TEST_STORE_URL"], load_config(settings, environ={}))
provider = TracerProvider()
provider.add_span_processor(SpanPipelineProcessor(pipeline))
tracer = provider.get_tracer("exits")

def emit(name, count=10):
    for _ in range(count):
        tracer.start_span(name).end()
"""

ENDINGS = {
    "end of the program": "",
    "sys.exit": "sys.exit(0)",
    "an uncaught exception": "raise RuntimeError('so it goes')",
    "sys.exit in a SIGTERM handler": """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        os.kill(os.getpid(), signal.SIGTERM)
        """,
    "SIGINT": """
        import signal
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        """,
}


def program(body: str, folder: Path) -> Path:
    path = folder / "program.py"
    path.write_text(PROLOGUE + textwrap.dedent(body))
    return path


def run(body: str, url: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; it must not hang whatever it does."""
    return subprocess.run(
        [sys.executable, str(program(body, folder))],
        env=environment_of(url) | environment,
        capture_output=True,
        text=True,
        timeout=180,
        cwd=folder,
    )


def environment_of(url: str) -> dict[str, str]:
    return os.environ | {"TEST_STORE_URL": url, "PYTHONUNBUFFERED": "1"}


def stored(engine: sa.Engine) -> Counter[str]:
    """Return how many steps of each name the store holds; a session must count the same."""
    with engine.connect() as connection:
        names = Counter(connection.execute(sa.text("SELECT operation FROM debugging_trace_step")).scalars())
        counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar()
    assert int(counted or 0) == sum(names.values())
    return names


def note_stored(row: FaultRow, engine: sa.Engine) -> None:
    """Count in the fault matrix what a test has just found to be all that was emitted."""
    count = sum(stored(engine).values())
    row.note(emitted=count, stored=count)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_program_that_ends_writes_what_waits(ending: str, store_url: str, engine: sa.Engine, tmp_path: Path) -> None:
    run("emit('main')\n" + textwrap.dedent(ENDINGS[ending]), store_url, tmp_path)

    assert stored(engine) == {"main": 10}


@pytest.mark.fault(23)
def test_a_forked_child_writes_its_own_spans_and_none_of_its_parents(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    body = """
        emit("warm up")
        pipeline.flush(20)  # an open connection is there to be inherited
        emit("before the fork")
        pid = os.fork()
        if pid == 0:
            emit("child", 7)
            sys.exit(0)
        emit("parent", 5)
        os.waitpid(pid, 0)
        emit("parent", 5)
        """

    finished = run(body, store_url, tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert stored(engine) == {"warm up": 10, "before the fork": 10, "child": 7, "parent": 10}
    note_stored(fault_row, engine)


@pytest.mark.fault(23)
def test_forks_under_load_lose_and_double_nothing(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """The parent's thread is in the middle of a batch, with locks and a transaction open, when the children begin."""
    body = """
        stop = threading.Event()
        emitted = [0]
        def host():
            while not stop.is_set():
                emit("parent", 20)
                emitted[0] += 20
                time.sleep(0.002)
        thread = threading.Thread(target=host)
        thread.start()
        children = []
        for number in range(8):
            time.sleep(0.02)
            pid = os.fork()
            if pid == 0:
                emit("child", 25)
                ok = pipeline.flush(30)
                os._exit(0 if ok and pipeline.ledger.read().is_balanced else 1)
            children.append(pid)
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        stop.set()
        thread.join()
        assert statuses == [0] * 8, statuses
        pipeline.flush(30)
        print(emitted[0])
        """

    finished = run(body, store_url, tmp_path, TEST_INTERVAL_S="0.01")

    assert finished.returncode == 0, finished.stderr
    assert stored(engine) == {"child": 200, "parent": int(finished.stdout)}
    note_stored(fault_row, engine)


@pytest.mark.fault(23)
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_multiprocessing_child_writes_at_its_end(
    method: str, store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """It ends with os._exit, which skips atexit."""
    body = f"""
        import multiprocessing

        def work():
            emit("child", 7)

        if __name__ == "__main__":
            emit("parent")
            process = multiprocessing.get_context("{method}").Process(target=work)
            process.start()
            process.join()
            assert process.exitcode == 0
        """

    finished = run(body, store_url, tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert stored(engine) == {"parent": 10, "child": 7}
    note_stored(fault_row, engine)


@pytest.mark.fault(23)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_pool_of_processes_writes_at_its_end(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    body = """
        from concurrent.futures import ProcessPoolExecutor

        def work(_):
            emit("task", 3)

        if __name__ == "__main__":
            with ProcessPoolExecutor(2) as pool:
                list(pool.map(work, range(10)))
        """

    finished = run(body, store_url, tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert stored(engine) == {"task": 30}
    note_stored(fault_row, engine)


APPLICATION = """
def application(environ, start_response):
    emit("request", 1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@contextmanager
def gunicorn(
    url: str, folder: Path, *options: str, application: str = "application", extra: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Give a running gunicorn and its port; whatever is left of it is killed. extra: more of the program."""
    program(APPLICATION + extra, folder)
    port = free_port()
    log = (folder / "gunicorn.log").open("wb")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "90",
            "--no-control-socket", *options, f"program:{application}",
        ],
        env=environment_of(url), cwd=folder, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()
        log.close()


def get(port: int, *, path: str = "/", within_s: float = 90.0) -> str:
    """Return the body of one request, once the server answers."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
                return str(response.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.fault(21)
@pytest.mark.slow
@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["plain", "preload"])
def test_gunicorn_workers_write_when_the_server_is_terminated(
    preload: list[str], store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    with gunicorn(store_url, tmp_path, *preload) as (process, port):
        for _ in range(20):
            get(port)

        process.send_signal(signal.SIGTERM)
        process.wait(120)

    assert stored(engine) == {"request": 20}, (tmp_path / "gunicorn.log").read_text()
    note_stored(fault_row, engine)


@pytest.mark.fault(21)
@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_gunicorn_workers_write_when_they_are_replaced(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """By a reload (HUP), and by `max_requests`."""
    with gunicorn(store_url, tmp_path, "--preload", "--max-requests", "5") as (process, port):
        first = {get(port) for _ in range(12)}
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 90
        requests = 12
        while get(port) in first and time.monotonic() < deadline:
            requests += 1
        process.send_signal(signal.SIGTERM)
        process.wait(120)

    assert stored(engine) == {"request": requests + 1}, (tmp_path / "gunicorn.log").read_text()
    note_stored(fault_row, engine)


CELERY = """
from celery import Celery

app = Celery("program", broker="filesystem://")
folder = os.environ["TEST_BROKER_FOLDER"]
app.conf.broker_transport_options = {
    "data_folder_in": folder + "/queue", "data_folder_out": folder + "/queue", "control_folder": folder + "/control",
}
app.conf.worker_hijack_root_logger = False

@app.task(name="work")
def work(number):
    emit("task", 1)
    with open(folder + "/done", "a") as done:
        done.write(f"{os.getpid()} {number}\\n")
"""


@pytest.mark.fault(22)
@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_celery_pool_children_write_at_their_end(
    store_url: str, engine: sa.Engine, tmp_path: Path, fault_row: FaultRow
) -> None:
    """Also those that are replaced: `max_tasks_per_child` loses every span without a hook (reliability page, no. 12)."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    program(CELERY, tmp_path)
    environment = environment_of(store_url) | {"TEST_BROKER_FOLDER": str(tmp_path)}
    sender = "from program import *\nfor number in range(12): work.delay(number)\n"
    subprocess.run([sys.executable, "-c", sender], env=environment, cwd=tmp_path, check=True, timeout=180)
    with (tmp_path / "celery.log").open("wb") as log:
        worker = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "-A", "program", "worker", "--pool", "prefork", "--concurrency", "2",
                "--max-tasks-per-child", "5", "--without-gossip", "--without-mingle", "--without-heartbeat",
            ],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for_lines(tmp_path / "done", 12)
            worker.send_signal(signal.SIGTERM)
            worker.wait(120)
        finally:
            worker.kill()
            worker.wait()

    assert stored(engine)["task"] == 12, (tmp_path / "celery.log").read_text()
    note_stored(fault_row, engine)


def wait_for_lines(path: Path, lines: int, *, within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, "the worker did not do its tasks"
        time.sleep(0.05)


def test_a_child_that_is_forked_while_the_tables_are_made_writes_what_it_has(
    empty_store_url: str, tmp_path: Path
) -> None:
    """The writing thread imports Alembic for it, and a module that is half imported at a fork stays so in the child."""
    body = """
    import importlib.abc

    imports_begin = threading.Event()

    class Slow(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.startswith("alembic") and not imports_begin.is_set():
                imports_begin.set()
                time.sleep(0.5)
            return None

    sys.meta_path.insert(0, Slow())
    emit("parent", 1)
    assert imports_begin.wait(60)
    child = os.fork()
    if child == 0:
        emit("child", 1)
        provider.force_flush(60_000)
        os._exit(0)
    os.waitpid(child, 0)
    """
    finished = run(body, empty_store_url, tmp_path, TEST_INTERVAL_S="0.1")

    assert finished.returncode == 0, finished.stderr
    store = sa.create_engine(empty_store_url)
    assert stored(store) == {"child": 1, "parent": 1}
    store.dispose()
