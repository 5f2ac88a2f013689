"""The store goes away and comes back, for pipelines with a spool: every row is there afterwards, once."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug_exporters import configuration_poll
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

from .pipelines import NOWHERE, assert_balanced, pipeline_on
from .rows_by_hand import count, execute

FAST = {"connect_timeout_s": 0.5, "read_timeout_s": 0.5, "write_timeout_s": 0.5}


class Store(Protocol):
    """A store that can go away."""

    url: str

    def go_away(self) -> None: ...

    def come_back(self) -> None: ...


class SQLiteStore:
    """A file whose main table vanishes: a file itself stays open even when it is deleted."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'store.sqlite3'}"

    def go_away(self) -> None:
        self._rename("debugging_trace_step", "away")

    def come_back(self) -> None:
        self._rename("away", "debugging_trace_step")

    def _rename(self, before: str, after: str) -> None:
        engine = create_store_engine(self.url)
        execute(engine, f"ALTER TABLE {before} RENAME TO {after}")
        engine.dispose()


class MariaDBStore:
    """A server that is killed with -9."""

    def __init__(self, server: MariaDBServer) -> None:
        self._server = server
        self.url = server.create_database()

    def go_away(self) -> None:
        self._server.kill()

    def come_back(self) -> None:
        self._server.start()


@pytest.fixture
def store(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """A migrated store that can go away."""
    is_file = dialect == "sqlite"
    store: Store = SQLiteStore(tmp_path) if is_file else MariaDBStore(request.getfixturevalue("server"))
    engine = create_store_engine(store.url)
    migrate(engine)
    engine.dispose()
    return store


@contextmanager
def spooling_pipeline(url: str, spools: Path, **settings: Any) -> Iterator[Pipeline]:
    with pipeline_on(url, **FAST, spool_dir=str(spools), **settings) as pipeline:
        yield pipeline


def wait_until(is_reached: Callable[[], bool], what: str, *, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def steps(store: Store) -> int:
    engine = create_store_engine(store.url)
    try:
        assert count(engine, "debugging_trace_step") == session_steps(engine)
        return count(engine, "debugging_trace_step")
    finally:
        engine.dispose()


def session_steps(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one()
    return int(found or 0)


def frame_files(spools: Path) -> list[Path]:
    return list(spools.rglob("*.frames"))


@pytest.mark.fault(1)
def test_rows_of_an_outage_wait_on_disk_and_arrive_after_it(store: Store, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    with spooling_pipeline(store.url, spools) as pipeline:
        emit(pipeline, range(1, 11))
        assert pipeline.flush(30)
        assert not spools.exists()
        store.go_away()
        emit(pipeline, range(11, 1011))
        wait_until(lambda: pipeline.stats()["spooled"] >= 1000, "nothing is spooled")
        away = pipeline.stats()
        assert_balanced(pipeline)
        store.come_back()
        emit(pipeline, range(1011, 1021))

        assert pipeline.flush(60)

        assert (away["state"], away["queued"], away["spool"]["problem"]) == ("spooling", 0, None)
        back = pipeline.stats()
        assert (back["spooled"], back["dropped"]) == (0, {})
        assert back["state"] in ("healthy", "recovering")
        assert_balanced(pipeline)
    assert steps(store) == 1020
    assert frame_files(spools) == []


def emit(pipeline: Pipeline, numbers: range) -> None:
    for number in numbers:
        pipeline.put_span(make_span(span_id=number))


@pytest.mark.fault(1)
def test_what_a_process_leaves_is_stored_by_the_next_one(store: Store, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    with spooling_pipeline(store.url, spools) as first:
        store.go_away()
        emit(first, range(1, 701))
        assert first.shutdown(10)
        left = first.ledger.read()
        assert left.is_balanced
        assert left.spooled == left.emitted >= 700
    store.come_back()

    with spooling_pipeline(store.url, spools) as second:
        emit(second, range(701, 702))
        wait_until(lambda: second.ledger.read().adopted.get("stored", 0) == left.spooled, "nothing is adopted")
        assert_balanced(second)

    assert steps(store) == 701
    assert frame_files(spools) == []


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.fault(19)
def test_a_process_that_is_killed_leaves_what_it_spooled(store: Store, tmp_path: Path) -> None:
    from .test_forks_and_exits import run

    spools = tmp_path / "spools"
    store.go_away()
    body = """
        emit("work", 700)
        while pipeline.stats()["spooled"] < 700:
            time.sleep(0.01)
        emit("in the queue", 3)
        os.kill(os.getpid(), 9)
        """
    run(body, store.url, tmp_path, TEST_SETTINGS=json.dumps({"spool_dir": str(spools), "flush_interval_s": 0.05}))
    store.come_back()

    with spooling_pipeline(store.url, spools) as heir:
        emit(heir, range(1, 2))
        wait_until(lambda: heir.ledger.read().adopted.get("stored", 0) >= 700, "nothing is adopted")

    assert steps(store) >= 701


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_nobody_replays_into_another_service_s_or_database_s_store(tmp_path: Path, store: Store) -> None:
    spools = tmp_path / "spools"
    other_database = f"sqlite:///{tmp_path / 'nowhere' / 'other.sqlite3'}"
    store.go_away()
    for url, service in ((other_database, "shop"), (store.url, "bank")):
        with spooling_pipeline(url, spools, service_name=service) as pipeline:
            emit(pipeline, range(1, 4))
            assert pipeline.shutdown(10)
    store.come_back()
    left = frame_files(spools)

    with spooling_pipeline(store.url, spools, service_name="shop") as shop:
        emit(shop, range(10, 11))
        assert shop.flush(30)
        wait_until(lambda: shop.stats()["state"] == "healthy", "it replays what is not its own")

    assert frame_files(spools) == left
    assert len(left) == 2
    assert steps(store) == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_live_rows_do_not_wait_for_the_replay(store: Store, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    with spooling_pipeline(store.url, spools, batch_max_items=10) as pipeline:
        store.go_away()
        emit(pipeline, range(1, 1501))
        wait_until(lambda: pipeline.stats()["spooled"] >= 1500, "nothing is spooled")
        store.come_back()
        wait_until(lambda: pipeline.stats()["state"] == "recovering", "it does not recover")

        emit(pipeline, range(10_001, 10_011))
        is_there = is_stored(store, 10_010)
        wait_until(is_there, "a live row waits")
        still_spooled = pipeline.stats()["spooled"]

        assert still_spooled > 0
        assert pipeline.flush(60)
    assert steps(store) == 1510


def is_stored(store: Store, span_id: int) -> Callable[[], bool]:
    def look() -> bool:
        engine = create_store_engine(store.url)
        try:
            return count(engine, "debugging_trace_step", f"span_id = '{span_id:016x}'") == 1
        finally:
            engine.dispose()

    return look


@pytest.mark.fault(16)
def test_a_spool_that_cannot_be_used_is_reported_and_costs_nothing_but_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with spooling_pipeline(NOWHERE, tmp_path / "file" / "spools", queue_max_items=500) as pipeline:
        emit(pipeline, range(1, 301))
        assert not pipeline.flush(1.5)
        wait_until(lambda: pipeline.stats()["spool"]["refused"] > 0, "the spool is not tried")
        emit(pipeline, range(301, 1201))
        wait_until(lambda: pipeline.stats()["dropped"].get("queue_full", 0) > 0, "nothing is dropped")

        stats = pipeline.stats()

        assert "Not a directory" in stats["spool"]["problem"]
        assert stats["spooled"] == 0
        assert stats["queued"] + stats["dropped"]["queue_full"] == stats["emitted"]
        assert_balanced(pipeline)
    assert len([record for record in caplog.records if "the spool takes no rows" in record.message]) == 1


def test_spool_first_leaves_nothing_on_disk_once_it_is_stored(store: Store, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    with spooling_pipeline(store.url, spools, durability="spool-first") as pipeline:
        emit(pipeline, range(1, 1201))
        assert pipeline.flush(30)
        assert frame_files(spools) == []
        store.go_away()
        emit(pipeline, range(1201, 2401))
        wait_until(lambda: pipeline.stats()["spooled"] >= 1200, "nothing is spooled")
        assert_balanced(pipeline)
        store.come_back()

        assert pipeline.flush(60)
        assert_balanced(pipeline)
        assert pipeline.stats()["dropped"] == {}

    assert steps(store) == 2400
    assert frame_files(spools) == []


@pytest.mark.fault(24)
def test_what_waits_at_an_exit_goes_to_disk_within_its_time(tmp_path: Path, server: MariaDBServer) -> None:
    """The server is frozen in the middle of a batch: the exiting thread goes on in place of the one that waits."""
    url = server.create_database()
    spools = tmp_path / "spools"
    with pipeline_on(url, read_timeout_s=20.0, spool_dir=str(spools), exit_timeout_s=2.0) as pipeline:
        emit(pipeline, range(1, 2))
        assert pipeline.flush(30)
        server.freeze()
        try:
            emit(pipeline, range(2, 1002))
            begun = time.monotonic()
            pipeline.exit()
            took_s = time.monotonic() - begun
        finally:
            server.thaw()
        reading = pipeline.ledger.read()

    assert took_s < 3.0
    assert reading.is_balanced
    assert reading.spooled + reading.stored == reading.emitted
    with pipeline_on(url, spool_dir=str(spools)) as heir:
        emit(heir, range(1002, 1003))
        wait_until(
            lambda: (
                heir.ledger.read().adopted.get("stored", 0) + heir.ledger.read().adopted.get("already_there", 0)
                == reading.spooled
            ),
            "nothing is adopted",
        )
    engine = create_store_engine(url)
    assert count(engine, "debugging_trace_step") == session_steps(engine) == 1002
    engine.dispose()


@pytest.mark.fault(1)
def test_stats_are_exact_at_every_moment_of_an_outage(store: Store, tmp_path: Path) -> None:
    with spooling_pipeline(store.url, tmp_path / "spools") as pipeline:
        stop = threading.Event()
        numbers = iter(range(1, 1_000_000))

        def host() -> None:
            while not stop.wait(0.001):
                pipeline.put_span(make_span(span_id=next(numbers)))

        thread = threading.Thread(target=host)
        thread.start()
        for act in (store.go_away, store.come_back):
            act()
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                assert_balanced(pipeline)
        stop.set()
        thread.join()

        assert pipeline.flush(60)
        assert_balanced(pipeline)
    assert steps(store) == next(numbers) - 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_long_replay_keeps_neither_metrics_nor_flushes_waiting(store: Store, tmp_path: Path) -> None:
    with spooling_pipeline(store.url, tmp_path / "spools", batch_max_items=1, metric_interval_s=0.01) as pipeline:
        pipeline._self_metrics.collect = lambda: None  # type: ignore[method-assign] # each would be one row more
        store.go_away()
        emit(pipeline, range(1, 2001))
        wait_until(lambda: pipeline.stats()["spooled"] >= 2000, "nothing is spooled")
        left_at_collections: list[int] = []
        store.come_back()
        wait_until(lambda: pipeline.stats()["state"] == "recovering", "it does not recover")
        pipeline.add_metric_source(lambda: left_at_collections.append(pipeline.ledger.read().spooled))

        assert pipeline.flush(60)

        assert len([left for left in left_at_collections if left > 0]) > 1
    assert steps(store) == 2000


def test_the_thread_rests_during_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is not read while the store is away; that it was due made the thread go round without a pause."""
    monkeypatch.setattr(configuration_poll, "INTERVAL_S", 0.01)
    rounds: list[float] = []
    deliver = Pipeline._deliver

    def counted(self: Pipeline) -> None:
        rounds.append(time.monotonic())
        deliver(self)

    with spooling_pipeline(NOWHERE, tmp_path / "spools", flush_interval_s=0.1) as pipeline:
        emit(pipeline, range(1, 11))
        wait_until(lambda: pipeline.stats()["state"] == "spooling", "nothing is spooled")
        monkeypatch.setattr(Pipeline, "_deliver", counted)
        time.sleep(1.0)
        seen = len(rounds)

    assert 2 <= seen <= 40  # of ten by the interval, and some by attempts; without a pause it is thousands
