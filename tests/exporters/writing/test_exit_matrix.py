"""Every way in which a server ends its workers, beyond those of test_forks_and_exits.py: what is stored afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from .rows_by_hand import count, execute
from .test_forks_and_exits import CELERY, environment_of, free_port, get, gunicorn, program, run, stored, wait_for_lines


@pytest.mark.slow
@pytest.mark.fault(21)
@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    "number", [signal.SIGQUIT, pytest.param(signal.SIGINT, marks=pytest.mark.long)], ids=["QUIT", "INT"]
)
def test_gunicorn_s_quick_endings_store_what_waits(
    number: signal.Signals, store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("from e2edebug.hooks import worker_exit\n")
    with gunicorn(store_url, tmp_path) as (process, port):
        for _ in range(10):
            get(port)

        process.send_signal(number)
        process.wait(60)

    assert stored(engine) == {"request": 10}, (tmp_path / "gunicorn.log").read_text()


ASGI = """
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        emit("lifespan", 1)
        await send({"type": "lifespan.shutdown.complete"})
        return
    emit("request", 1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.mark.fault(20, 21)
@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGTERM, ["--workers", "2"])],
    ids=["TERM", "INT", "TERM with workers"],
)
def test_uvicorn_stores_what_waits_before_the_signal_that_stopped_it_ends_it(
    number: signal.Signals, options: list[str], store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    program(ASGI, tmp_path)
    port = free_port()
    settings = json.dumps({"flush_interval_s": 3600.0})
    with (tmp_path / "uvicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--port", str(port), *options, "program:application"],
            env=environment_of(store_url) | {"TEST_SETTINGS": settings}, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            for _ in range(10):
                get(port)
            process.send_signal(number)
            process.wait(60)
        finally:
            process.kill()

    assert process.returncode in (-number, 0, 130), (tmp_path / "uvicorn.log").read_text()
    assert stored(engine) == {"request": 10, "lifespan": 2 if options else 1}, (tmp_path / "uvicorn.log").read_text()


@pytest.mark.slow
@pytest.mark.fault(21, 19)
@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, pytest.param(signal.SIGSEGV, marks=pytest.mark.long)],
    ids=["kill -9", "segmentation fault"],
)
def test_what_a_killed_gunicorn_worker_had_spooled_is_stored_by_its_successor(
    number: signal.Signals, store_url: str, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"spool_dir": str(tmp_path / "spools"), "durability": "spool-first", "flush_interval_s": 0.05}
    monkeypatch.setenv("TEST_SETTINGS", json.dumps(settings))
    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()
    with gunicorn(store_url, tmp_path) as (process, port):
        workers = {int(get(port)) for _ in range(20)}
        wait_for_rows_on_disk(store_url, tmp_path / "spools", 20)
        for worker in workers:
            os.kill(worker, number)
        execute(engine, "ALTER TABLE away RENAME TO debugging_trace_step")
        engine.dispose()
        requests = 20
        deadline = time.monotonic() + 60
        while count(engine, "debugging_trace_step") < 20 and time.monotonic() < deadline:
            get(port)  # a worker begins to write with the first thing it records
            requests += 1
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    assert stored(engine) == {"request": requests}, (tmp_path / "gunicorn.log").read_text()


def wait_for_rows_on_disk(url: str, spools: Path, rows: int) -> None:
    from e2edebug_exporters.spool.inspection import inspect_spools

    deadline = time.monotonic() + 60
    while (found := sum(report.rows for report in inspect_spools(spools))) < rows:
        assert time.monotonic() < deadline, f"{found} rows are on disk"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.fault(22)
@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    "options",
    [
        ["--pool", "threads", "--concurrency", "2"],
        pytest.param(["--pool", "prefork", "--concurrency", "1", "--max-tasks-per-child", "1"], marks=pytest.mark.long),
    ],
    ids=["threads", "one task per child"],
)
def test_celery_stores_what_its_tasks_recorded(
    options: list[str], store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    tasks = 4
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    program(CELERY, tmp_path)
    environment = environment_of(store_url) | {"TEST_BROKER_FOLDER": str(tmp_path)}
    sender = f"from program import *\nfor number in range({tasks}): work.delay(number)\n"
    subprocess.run([sys.executable, "-c", sender], env=environment, cwd=tmp_path, check=True, timeout=120)
    with (tmp_path / "celery.log").open("wb") as log:
        worker = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "-A", "program", "worker", *options,
                "--without-gossip", "--without-mingle", "--without-heartbeat",
            ],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for_lines(tmp_path / "done", tasks)
            worker.send_signal(signal.SIGTERM)
            worker.wait(120)
        finally:
            worker.kill()
            worker.wait()

    assert stored(engine)["task"] == tasks, (tmp_path / "celery.log").read_text()


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_process_that_ends_without_python_s_exit_may_flush_by_hand(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    body = """
        from e2edebug.hooks import flush_worker
        emit("main")
        flush_worker()
        os._exit(0)
        """

    run(body, store_url, tmp_path)

    assert stored(engine) == {"main": 10}


@pytest.mark.fault(20)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_sigterm_without_a_handler_keeps_what_was_spooled_first(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()
    settings = {"spool_dir": str(tmp_path / "spools"), "durability": "spool-first", "flush_interval_s": 0.02}
    body = """
        emit("written", 50)
        while pipeline.stats()["spooled"] < 50:
            time.sleep(0.01)
        os.kill(os.getpid(), 15)
        time.sleep(60)
        """

    finished = run(body, store_url, tmp_path, TEST_SETTINGS=json.dumps(settings))

    assert finished.returncode == -signal.SIGTERM
    execute(engine, "ALTER TABLE away RENAME TO debugging_trace_step")
    engine.dispose()
    heir = 'emit("heir", 1)\npipeline.flush(30)\nwhile pipeline.stats()["adopted"]["stored"] < 50: time.sleep(0.01)\n'
    assert run(heir, store_url, tmp_path, TEST_SETTINGS=json.dumps(settings)).returncode == 0
    assert stored(engine) == {"written": 50, "heir": 1}
