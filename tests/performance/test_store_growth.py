"""The store that grows: it says when the disk is too small, holds what it claims, and leaves nothing behind."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from benchmarks.store_growth.disk import disk_of_mariadb
from benchmarks.store_growth.growing_store import GrowingStore, NotEnoughDisk, check_disk_space, growing_store
from benchmarks.store_growth.reads import READS, measure_reads
from support.mariadb import NoServer

from e2edebug_schema.tables import error_group, error_log, performance_snapshot, trace_step, workflow_session


def test_too_little_disk_is_said_before_anything_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=4_000_000_000))

    with pytest.raises(NotEnoughDisk, match=r"5,000,000 steps needs about 13\.0 GB .*, where 4\.0 GB are free"):
        check_disk_space(tmp_path, 5_000_000)


def test_a_store_grows_is_read_and_is_gone() -> None:
    try:
        with growing_store(4_000) as store:
            folder = store.server.folder
            for steps in (2_000, 4_000):
                store.grow(steps)
            taken = measure_reads(store, runs=1)
            disk = disk_of_mariadb(store)
            sessions, orphans = rows_of(store)
    except NoServer as missing:
        pytest.skip(str(missing))

    assert sessions == 400
    assert orphans == 0
    assert {one.read.name: len(one.server_ms) for one in taken} == {read.name: 1 for read in READS}
    assert all(one.statements and one.rows_read for one in taken)
    assert sum(sum(one.cpu_ms) for one in taken) > 0
    assert all(one.found for one in taken if one.read.name.startswith(("one workflow", "latest", "p95", "repeated")))
    assert set(disk.columns) == set(trace_step.columns.keys())
    assert all(disk.of(table) for table in (trace_step, workflow_session, performance_snapshot, error_log, error_group))
    assert not folder.exists()


def rows_of(store: GrowingStore) -> tuple[int, int]:
    """How many sessions there are, and how many steps belong to none."""
    engine = store.engine()
    lost = sa.select(sa.func.count()).where(
        trace_step.c.correlation_id.not_in(sa.select(workflow_session.c.correlation_id))
    )
    with engine.connect() as connection:
        found = (
            connection.execute(sa.select(sa.func.count()).select_from(workflow_session)).scalar_one(),
            connection.execute(lost).scalar_one(),
        )
    engine.dispose()
    return found
