"""Many processes and one spool folder: nothing is replayed twice, nothing left behind, and no secret is in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.spans import make_span

from e2edebug_exporters.spool.folder import SpoolFolder, folders
from e2edebug_exporters.spool.frames import Frame, read_frames
from e2edebug_exporters.spool.row_payload import decode_batch

from ..writing.pipelines import NOWHERE, pipeline_on
from ..writing.rows_by_hand import count, execute
from ..writing.test_forks_and_exits import environment_of, program, stored

PROCESSES = 4

LEAVE_AND_DIE = """
    emit("left", 300)
    while pipeline.stats()["spooled"] < 300:
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
    """
ADOPT = """
    print("ready", flush=True)
    sys.stdin.readline()
    emit("heir", 1)
    deadline = time.monotonic() + 60
    while list(__import__("pathlib").Path(settings["spool_dir"]).rglob("*.frames")) and time.monotonic() < deadline:
        time.sleep(0.01)
    pipeline.flush(60)
    print(json.dumps(pipeline.stats()), flush=True)
    """


def start(body: str, url: str, folder: Path, spools: Path) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    settings = {"spool_dir": str(spools), "flush_interval_s": 0.02}
    return subprocess.Popen(
        [sys.executable, str(program(body, folder))],
        env=environment_of(url) | {"TEST_SETTINGS": json.dumps(settings)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["mariadb"])
def test_what_killed_processes_left_is_stored_once_by_heirs_that_come_at_once(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    spools = tmp_path / "spools"
    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()
    dead = [start(LEAVE_AND_DIE, store_url, tmp_path / f"dead{number}", spools) for number in range(PROCESSES)]
    for process in dead:
        process.communicate(timeout=180)
    execute(engine, "ALTER TABLE away RENAME TO debugging_trace_step")
    engine.dispose()

    heirs = [start(ADOPT, store_url, tmp_path / f"heirs{number}", spools) for number in range(PROCESSES)]
    for heir in heirs:
        assert heir.stdout is not None
        assert heir.stdout.readline() == "ready\n"
    for heir in heirs:
        assert heir.stdin is not None
        heir.stdin.write("go\n")
        heir.stdin.flush()
    books = [json.loads(heir.communicate(timeout=180)[0]) for heir in heirs]

    adopted = [one["adopted"] for one in books]
    assert sum(one["stored"] for one in adopted) >= 300 * PROCESSES
    assert sum(one["already_there"] + one["dropped"] for one in adopted) == 0
    assert stored(engine) == {"left": 300 * PROCESSES, "heir": PROCESSES}
    assert not list(spools.rglob("*.frames"))
    assert not list(spools.rglob("*.lock"))


def test_no_secret_is_put_on_disk(tmp_path: Path) -> None:
    secret = "hunter2-planted"
    with pipeline_on(NOWHERE, spool_dir=str(tmp_path), exit_timeout_s=5.0) as pipeline:
        attributes = {
            "db.query.text": f"SELECT * FROM users WHERE name = '{secret}'",
            "db.system.name": "mysql",
            "http.request.header.authorization": f"Bearer {secret}",
            "password": secret,
            "url.full": f"https://u:{secret}@bank/pay?token={secret}",
        }
        pipeline.put_span(make_span(attributes=attributes))
        assert pipeline.shutdown(10)
        assert pipeline.stats()["spooled"] >= 1

    (path,) = folders(tmp_path)
    folder = SpoolFolder.open(path)
    rows = 0
    for segment, _ in folder.segments():
        for found in read_frames(folder.read(segment)):
            assert isinstance(found, Frame)
            batch = decode_batch(found.payload).batch
            rows += len(batch)
            assert secret not in repr(batch)
    folder.close()
    assert rows == pipeline.stats()["spooled"]
    assert secret.encode() not in b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_public_exporter_puts_on_disk_what_the_store_does_not_take(
    store_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    from e2edebug.policy.config import load_config
    from e2edebug_exporters.bounded_queue import Kind
    from e2edebug_exporters.direct_export import DirectExport

    execute(engine, "ALTER TABLE debugging_trace_step RENAME TO away")
    engine.dispose()
    direct = DirectExport(
        store_url, config=load_config({"spool_dir": str(tmp_path / "spools")}, environ={}), timeout_s=5
    )
    is_kept = direct.export(Kind.SPAN, [make_span(span_id=1), make_span(span_id=2)], rows=2)
    during = direct.ledger.read()
    execute(engine, "ALTER TABLE away RENAME TO debugging_trace_step")
    engine.dispose()
    for number in range(3, 100):
        direct.export(Kind.SPAN, [make_span(span_id=number)], rows=1)
        if direct.ledger.read().spooled == 0:
            break
        direct._delivery.next_attempt_at = 0.0  # the pause is over
    direct.shutdown()

    after = direct.ledger.read()
    assert is_kept
    assert (during.spooled, during.stored, dict(during.dropped)) == (2, 0, {})
    assert (after.spooled, dict(after.dropped)) == (0, {})
    assert after.stored == after.emitted == count(engine, "debugging_trace_step") == number
    assert after.is_balanced


def test_a_public_exporter_says_of_each_batch_whether_it_is_safe(tmp_path: Path) -> None:
    """Not of all batches so far: one that was lost an hour ago says nothing of the next."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    from e2edebug.policy.config import load_config
    from e2edebug_exporters.span_exporter import SQLSpanExporter

    place = tmp_path / "place"
    place.write_text("no folder")
    config = load_config({"spool_dir": str(place / "spools"), "durability": "spool"}, environ={})
    exporter = SQLSpanExporter(NOWHERE, config=config, timeout_s=0.2)

    lost = exporter.export([make_span(span_id=1)])
    place.unlink()
    kept = exporter.export([make_span(span_id=2)])

    assert (lost, kept) == (SpanExportResult.FAILURE, SpanExportResult.SUCCESS)
    assert (exporter.stats()["dropped"], exporter.stats()["spooled"]) == ({"store_unavailable": 1}, 1)
    exporter.shutdown()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system of limited size")
@pytest.mark.fault(16)
def test_a_disk_that_is_really_full_is_told_and_used_again_when_there_is_room(tmp_path: Path) -> None:
    from e2edebug_exporters.ledger import Ledger
    from e2edebug_exporters.spool.folder import SpoolUnusableError

    from .batches import batch, put, spool_in, take_all

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        ledger = Ledger()
        spool = spool_in(disk, ledger)
        put(spool, ledger, batch(0))
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2_000_000))
        refused, reasons = 0, set()
        for number in range(1, 60):
            try:
                put(spool, ledger, batch(number, steps=100))
            except SpoolUnusableError as error:
                reasons.add(str(error))
                refused += len(batch(number, steps=100))
        ledger.drop(refused, "refused")
        ballast.unlink()
        put(spool, ledger, batch(60))

        left = take_all(spool)

        assert refused > 0
        assert all("No space left" in reason for reason in reasons)
        assert (left[0], left[-1]) == (batch(0), batch(60))
        assert spool.failures > 0
        assert spool.problem is None
        assert ledger.read().damaged_frames == 0
        assert ledger.read().is_balanced
        spool.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
