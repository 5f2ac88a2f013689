"""An exit takes no longer than `exit_timeout_s`, whatever the pipeline is at; what waited is stored, on disk, or counted.

Nothing here would end within a minute by itself: a second more than the setting is a bound, not a measurement.
"""

import fcntl
import os
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from support.mariadb import MariaDBServer
from support.spans import make_span
from support.waiting import wait_until

from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from e2edebug_exporters.spool import spool as spool_module

from .pipelines import NOWHERE, RESOURCE
from .running_program import Program

EXIT_TIMEOUT_S = 2.0
BOUND_S = EXIT_TIMEOUT_S + 1.0
FOR_EVER_S = 100.0


def begun(url: str, spools: Path, **settings: Any) -> Pipeline:
    patience = {"connect_timeout_s": FOR_EVER_S, "read_timeout_s": FOR_EVER_S, "write_timeout_s": FOR_EVER_S}
    fixed = {"flush_interval_s": 0.05, "metric_interval_s": 3600.0, "exit_timeout_s": EXIT_TIMEOUT_S}
    config = load_config({**patience, **fixed, "spool_dir": str(spools), **settings}, environ={})
    return Pipeline(url, config, resource=RESOURCE)


def emit(pipeline: Pipeline, numbers: range) -> None:
    for number in numbers:
        pipeline.put_span(make_span(span_id=number))


def exit_of(pipeline: Pipeline) -> dict[str, Any]:
    """Let it exit in time, and return its books, which must be exact."""
    begun_at = time.monotonic()
    pipeline.exit()
    took_s = time.monotonic() - begun_at
    assert took_s < BOUND_S
    assert pipeline.ledger.read().is_balanced
    books = pipeline.stats()
    assert books["queued"] == 0
    return books


def test_a_healthy_pipeline_stores_what_waits(store_url: str, tmp_path: Path) -> None:
    pipeline = begun(store_url, tmp_path, flush_interval_s=3600.0)
    emit(pipeline, range(1, 101))

    books = exit_of(pipeline)

    assert (books["dropped"], books["stored"] + books["spooled"]) == ({}, books["emitted"])


def test_a_provider_that_was_shut_down_long_before_takes_no_time_from_the_exit(store_url: str, tmp_path: Path) -> None:
    """The pipeline goes on for logs and metrics, and what they left is to be stored at the exit, hours later."""
    passed_s = 0.0
    settings = {"flush_interval_s": 3600.0, "exit_timeout_s": 30.0, "spool_dir": str(tmp_path)}
    pipeline = Pipeline(store_url, load_config(settings, environ={}), clock=lambda: time.monotonic() + passed_s)
    emit(pipeline, range(1, 11))
    SpanPipelineProcessor(pipeline).shutdown()
    passed_s = 3600.0
    emit(pipeline, range(11, 101))

    pipeline.exit()

    books = pipeline.stats()
    assert (books["dropped"], books["stored"]) == ({}, books["emitted"])
    assert books["emitted"] >= 100


def test_one_that_waits_to_send_a_batch_again_puts_it_on_disk(tmp_path: Path) -> None:
    config = {"flush_interval_s": 0.05, "exit_timeout_s": EXIT_TIMEOUT_S, "spool_dir": str(tmp_path)}
    pipeline = Pipeline(NOWHERE, load_config(config, environ={}), jitter=lambda: 1000.0)
    emit(pipeline, range(1, 11))
    wait_until(lambda: pipeline.stats()["state"] == "retrying")
    emit(pipeline, range(11, 101))

    books = exit_of(pipeline)

    assert (books["dropped"], books["spooled"]) == ({}, books["emitted"])


def test_one_that_spools_puts_the_rest_on_disk(store_url: str, tmp_path: Path) -> None:
    pipeline = begun(NOWHERE, tmp_path)
    emit(pipeline, range(1, 11))
    pipeline.flush(0.2)
    wait_until(lambda: pipeline.stats()["state"] == "spooling")
    emit(pipeline, range(11, 101))

    books = exit_of(pipeline)

    assert (books["dropped"], books["spooled"]) == ({}, books["emitted"])


def test_one_that_replays_to_a_store_which_freezes_keeps_what_is_on_disk(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    left = begun(url, tmp_path)
    with server.frozen():
        emit(left, range(1, 101))
        exit_of(left)
    heir = begun(url, tmp_path)
    with server.frozen():
        emit(heir, range(101, 201))
        books = exit_of(heir)

    assert (books["dropped"], books["spooled"]) == ({}, books["emitted"])
    assert list(tmp_path.rglob("*.frames"))


def test_one_whose_chore_never_comes_to_an_end_puts_what_waits_on_disk(store_url: str, tmp_path: Path) -> None:
    may_end, is_reached = threading.Event(), threading.Event()

    def chore() -> None:
        is_reached.set()
        may_end.wait(FOR_EVER_S)

    pipeline = begun(store_url, tmp_path)
    pipeline.add_chore(chore)
    emit(pipeline, range(1, 2))
    assert is_reached.wait(60)
    emit(pipeline, range(2, 101))
    try:
        books = exit_of(pipeline)
    finally:
        may_end.set()

    assert (books["dropped"], books["stored"] + books["spooled"]) == ({}, books["emitted"])


def test_one_that_waits_for_an_instrument_of_the_host_counts_what_it_loses(store_url: str, tmp_path: Path) -> None:
    """Its callback runs in the middle of everything: nobody may go on in that thread's place."""
    may_end, is_reached = threading.Event(), threading.Event()

    def collect() -> None:
        is_reached.set()
        may_end.wait(FOR_EVER_S)

    pipeline = begun(store_url, tmp_path, metric_interval_s=1.0)
    pipeline.add_metric_source(collect)
    emit(pipeline, range(1, 2))
    assert is_reached.wait(60)
    emit(pipeline, range(2, 101))
    try:
        books = exit_of(pipeline)
    finally:
        may_end.set()

    assert books["dropped"].get("shutdown", 0) + books["stored"] + books["spooled"] == books["emitted"]


@pytest.mark.parametrize("durability", ["spool", "spool-first"])
@pytest.mark.parametrize("is_store_away", [True, False], ids=["store away", "store frozen"])
def test_a_disk_that_hangs_costs_no_more_than_the_setting(
    durability: str,
    is_store_away: bool,
    server: MariaDBServer,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a network file system whose server is gone: a write never returns."""
    may_end, is_reached = threading.Event(), threading.Event()

    def hang(_fd: int, _data: bytes) -> None:
        is_reached.set()
        may_end.wait(FOR_EVER_S)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(spool_module, "_write_whole", hang)
    if is_store_away:
        pipeline = begun(NOWHERE, tmp_path, durability=durability)
        emit(pipeline, range(1, 101))
        pipeline.flush(0.2)  # so that it goes over to spooling, and hangs there
        assert durability == "spool" or is_reached.wait(60)
        try:
            books = exit_of(pipeline)
        finally:
            may_end.set()
    else:
        pipeline = begun(url, tmp_path, durability=durability)
        with server.frozen():
            emit(pipeline, range(1, 101))
            try:
                books = exit_of(pipeline)
            finally:
                may_end.set()

    assert books["dropped"] == {"shutdown": books["emitted"]}


def test_a_spool_that_takes_nothing_costs_no_more_than_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    pipeline = begun(NOWHERE, tmp_path / "file" / "spools")
    emit(pipeline, range(1, 101))
    pipeline.flush(0.2)

    books = exit_of(pipeline)

    assert books["dropped"] == {"shutdown": books["emitted"]}


def test_locks_of_other_processes_on_the_spool_are_not_waited_for(tmp_path: Path) -> None:
    first = begun(NOWHERE, tmp_path)
    emit(first, range(1, 11))
    exit_of(first)
    (folder,) = {path.parent for path in tmp_path.rglob("*.frames")}
    held = [*(os.open(path, os.O_RDWR) for path in folder.glob("*.lock")), os.open(folder, os.O_RDONLY)]
    for fd in held:
        fcntl.flock(fd, fcntl.LOCK_EX)
    pipeline = begun(NOWHERE, tmp_path)
    emit(pipeline, range(11, 101))

    books = exit_of(pipeline)

    for fd in held:
        os.close(fd)
    assert (books["dropped"], books["spooled"]) == ({}, books["emitted"])


@pytest.mark.parametrize("durability", ["spool", "spool-first", "memory"])
@pytest.mark.parametrize("moment", ["before it begins", "while it runs"])
def test_a_process_ends_in_time_when_its_store_has_frozen(
    moment: str, durability: str, server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    """The whole of it: every exit handler, the provider's and ours, one after the other."""
    body = """
        emit("before", 10)
        if os.path.exists("wait"):
            assert pipeline.flush(60)
            print("ready", flush=True)
            while not os.path.exists("frozen"):
                time.sleep(0.01)
        emit("during", 10)
        print("end", flush=True)
        """
    settings = (
        f'{{"exit_timeout_s": {EXIT_TIMEOUT_S}, "read_timeout_s": {FOR_EVER_S}, "durability": "{durability}", '
        f'"spool_dir": "{tmp_path / "spools"}"}}'
    )
    is_before = moment == "before it begins"
    if not is_before:
        (tmp_path / "wait").touch()
    with server.frozen() if is_before else nullcontext():
        running = Program(body, url, tmp_path, TEST_SETTINGS=settings, TEST_INTERVAL_S="0.05")
        if not is_before:
            assert running.line() == "ready"
            server.freeze()
        try:
            (tmp_path / "frozen").touch()
            assert running.line() == "end"
            begun_at = time.monotonic()
            assert running.wait() == 0
            took_s = time.monotonic() - begun_at
        finally:
            server.thaw()

    assert took_s < BOUND_S + 5.0  # the interpreter's own end comes on top
