"""A process that starts while the store is away or hangs keeps its promises: on disk at once, and what is hidden stays so.

It knows from the file that earlier processes left beside the spool what an operator had set.
"""

import json
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.spans import make_span
from support.waiting import wait_until

from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.spool.frames import Frame, read_frames
from e2edebug_exporters.spool.row_payload import decode_batch
from e2edebug_schema.engine import create_store_engine

from .pipelines import assert_balanced, pipeline_on, tracer_of
from .rows_by_hand import count, execute
from .running_program import Program
from .test_runtime_configuration import configure

PATIENCE = {"connect_timeout_s": 100.0, "read_timeout_s": 100.0, "write_timeout_s": 100.0}
SECRET = "L-4711"


def configured(url: str, config_type: str, data: Any = None, *, enabled: bool = True) -> None:
    engine = create_store_engine(url)
    configure(engine, config_type, data, enabled=enabled)
    engine.dispose()


def let_a_process_see_the_store(url: str, spools: Path, **settings: Any) -> None:
    with pipeline_on(url, spool_dir=str(spools), **settings) as pipeline:
        pipeline.put_span(make_span("earlier", span_id=1))
        assert pipeline.flush(30)


def rows_on_disk(spools: Path) -> list[Any]:
    batches = [
        decode_batch(found.payload).batch
        for path in spools.rglob("*.frames")
        for found in read_frames(path.read_bytes())
        if isinstance(found, Frame)
    ]
    return [row for batch in batches for row in batch.steps]


def end_span(pipeline: Pipeline, name: str) -> None:
    with tracer_of(pipeline).start_as_current_span(name, attributes={"loyaltyNumber": SECRET}):
        pass


def steps_of(url: str, name: str) -> list[str]:
    engine = create_store_engine(url)
    try:
        with engine.connect() as connection:
            query = sa.text("SELECT metadata FROM debugging_trace_step WHERE operation = :name")
            return list(connection.execute(query, {"name": name}).scalars())
    finally:
        engine.dispose()


def test_kill_9_in_a_process_that_started_beside_a_frozen_store_loses_no_row_that_was_spooled_first(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    spools = tmp_path / "spools"
    configured(url, "redaction", {"keys": ["loyalty_number"]})
    let_a_process_see_the_store(url, spools, durability="spool-first", service_name="shop")
    body = """
        for _ in range(20):
            for _ in range(100):
                tracer.start_span("during", attributes={"loyaltyNumber": "L-4711"}).end()
            time.sleep(0.05)
        deadline = time.monotonic() + 60
        while pipeline.stats()["queued"] and time.monotonic() < deadline:
            time.sleep(0.01)
        print(pipeline.stats()["spooled"], pipeline.stats()["store_away"], flush=True)
        time.sleep(600)
        """
    settings = PATIENCE | {
        "flush_interval_s": 0.1, "spool_dir": str(spools), "durability": "spool-first", "service_name": "shop",
    }  # fmt: skip
    with server.frozen():
        running = Program(body, url, tmp_path, TEST_SETTINGS=json.dumps(settings))
        found = running.line()
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        on_disk = rows_on_disk(spools)

    assert found == "2000 False"  # still within its first call
    assert len(on_disk) == 2000
    assert not [row for row in on_disk if SECRET in row.metadata]
    with pipeline_on(url, spool_dir=str(spools), service_name="shop") as heir:
        heir.put_span(make_span(span_id=1))
        wait_until(lambda: not list(spools.rglob("*.frames")))
        assert_balanced(heir)
    stored = steps_of(url, "during")
    assert len(stored) == 2000
    assert not [text for text in stored if SECRET in text]


def test_the_first_process_of_a_service_puts_nothing_on_disk_before_it_knows_what_is_to_be_hidden(
    server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    configured(url, "redaction", {"keys": ["loyalty_number"]})
    settings = PATIENCE | {"spool_dir": str(tmp_path), "durability": "spool-first", "flush_interval_s": 0.02}
    with pipeline_on(url, **settings) as pipeline:
        with server.frozen():
            end_span(pipeline, "first")
            time.sleep(1.0)  # fifty times as long as the relief would wait
            assert rows_on_disk(tmp_path) == []
            assert (pipeline.stats()["queued"], pipeline.stats()["spooled"]) == (1, 0)
        assert pipeline.flush(60)
        assert_balanced(pipeline)
    (stored,) = steps_of(url, "first")
    assert SECRET not in stored


@pytest.mark.parametrize("durability", ["spool", "spool-first"])
def test_an_exit_while_the_first_reading_hangs_keeps_its_time_and_every_row(
    durability: str, server: MariaDBServer, url: str, tmp_path: Path
) -> None:
    configured(url, "redaction", {"keys": ["loyalty_number"]})
    let_a_process_see_the_store(url, tmp_path, durability=durability)
    settings = PATIENCE | {"spool_dir": str(tmp_path), "durability": durability, "exit_timeout_s": 2.0}
    with server.frozen(), pipeline_on(url, **settings) as pipeline:
        for _ in range(500):
            end_span(pipeline, "late")
        begun = time.monotonic()
        pipeline.exit()
        took_s = time.monotonic() - begun
        reading = pipeline.ledger.read()
        on_disk = rows_on_disk(tmp_path)

    assert took_s < 3.0
    assert reading.is_balanced
    assert (reading.queued, dict(reading.dropped)) == (0, {})
    assert len([row for row in on_disk if row.operation == "late"]) == 500
    assert not [row for row in on_disk if SECRET in row.metadata]


def test_what_an_earlier_process_has_read_holds_while_the_tables_are_away(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    configure(engine, "redaction", {"keys": ["loyalty_number"]})
    configure(engine, "performance_monitoring", enabled=False)
    let_a_process_see_the_store(store_url, tmp_path)
    for table in ("debugging_trace_step", "debugging_configuration"):
        execute(engine, f"ALTER TABLE {table} RENAME TO away_{table}")

    with pipeline_on(store_url, spool_dir=str(tmp_path)) as pipeline:
        end_span(pipeline, "away")
        wait_until(lambda: pipeline.stats()["spooled"] == 1)
        assert not pipeline.configuration.is_monitoring
        on_disk = rows_on_disk(tmp_path)
        for table in ("debugging_trace_step", "debugging_configuration"):
            execute(engine, f"ALTER TABLE away_{table} RENAME TO {table}")
        assert pipeline.flush(60)
        assert_balanced(pipeline)

    assert [row.operation for row in on_disk] == ["away"]
    assert SECRET not in on_disk[0].metadata
    assert count(engine, "debugging_trace_step") == 2


def test_a_forked_child_hides_what_its_parent_knew_to_hide(store_url: str, engine: sa.Engine, tmp_path: Path) -> None:
    """Also with rows in memory alone, where nothing is remembered on disk."""
    configure(engine, "redaction", {"keys": ["loyalty_number"]})
    body = """
        import warnings
        warnings.simplefilter("ignore")
        emit("parent", 1)
        assert pipeline.flush(60)
        print("ready", flush=True)
        while not os.path.exists("away"):
            time.sleep(0.01)
        child = os.fork()
        if child == 0:
            tracer.start_span("child", attributes={"loyaltyNumber": "L-4711"}).end()
            while not pipeline.stats()["store_away"]:
                time.sleep(0.01)
            print("away", flush=True)
            while os.path.exists("away"):
                time.sleep(0.01)
            os._exit(0 if pipeline.flush(60) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        """
    running = Program(body, store_url, tmp_path, TEST_SETTINGS=json.dumps({"durability": "memory"}))
    assert running.line() == "ready"
    for table in ("debugging_trace_step", "debugging_configuration"):
        execute(engine, f"ALTER TABLE {table} RENAME TO away_{table}")
    (tmp_path / "away").touch()
    assert running.line() == "away"
    execute(engine, "ALTER TABLE away_debugging_trace_step RENAME TO debugging_trace_step")  # the other stays away
    (tmp_path / "away").unlink()

    assert running.line() == "0"
    (stored,) = steps_of(store_url, "child")
    assert SECRET not in stored
    assert "loyaltyNumber" in stored


def test_what_is_remembered_is_private_and_holds_no_address_of_a_notification_route(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    configure(engine, "redaction", {"keys": ["loyalty_number"]})
    configure(engine, "notification_route", {"urls": ["https://hooks.example/T0K3N"], "secret": "s3cr3t"})
    configure(engine, "tracing", {"sample_ratio": 0.5, "password": "hunter2"})  # which no row may hold
    let_a_process_see_the_store(store_url, tmp_path)

    (path,) = tmp_path.rglob("configuration.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    text = path.read_text()
    assert "loyalty_number" in text
    assert [word for word in ("T0K3N", "s3cr3t", "hunter2", SECRET) if word in text] == []


@pytest.mark.parametrize(
    "text", ["", "[", "[]", '{"format": 1, "rows": [1]}', '{"format": 1}', "\udcff", "[" * 100_000]
)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_damaged_memory_is_told_left_out_and_made_anew(
    text: str, store_url: str, engine: sa.Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configure(engine, "redaction", {"keys": ["loyalty_number"]})
    let_a_process_see_the_store(store_url, tmp_path)
    (path,) = tmp_path.rglob("configuration.json")
    whole = path.read_bytes()
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pipeline_on(store_url, spool_dir=str(tmp_path)) as pipeline:
        end_span(pipeline, "afterwards")
        assert pipeline.flush(30)

    assert "what was remembered of the configuration cannot be read" in caplog.text
    assert path.read_bytes() == whole
    (stored,) = steps_of(store_url, "afterwards")
    assert SECRET not in stored


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_memory_that_is_a_symbolic_link_is_not_followed(store_url: str, engine: sa.Engine, tmp_path: Path) -> None:
    configure(engine, "tracing", enabled=False)
    let_a_process_see_the_store(store_url, tmp_path / "spools")
    (path,) = tmp_path.rglob("configuration.json")
    elsewhere = tmp_path / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    configure(engine, "tracing", enabled=True)
    before = elsewhere.read_bytes()

    with pipeline_on(store_url, spool_dir=str(tmp_path / "spools")) as pipeline:
        end_span(pipeline, "afterwards")
        assert pipeline.flush(30)

    assert elsewhere.read_bytes() == before
    assert len(steps_of(store_url, "afterwards")) == 1


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_nothing_is_remembered_where_nothing_is_set_or_nothing_is_put_on_disk(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    let_a_process_see_the_store(store_url, tmp_path / "unset")
    configure(engine, "redaction", {"keys": ["loyalty_number"]})
    let_a_process_see_the_store(store_url, tmp_path / "memory", durability="memory")

    assert not (tmp_path / "unset").exists()
    assert not (tmp_path / "memory").exists()
