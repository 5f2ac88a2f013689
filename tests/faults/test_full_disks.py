"""File systems that have no room left: under a server, which then dies, and under a SQLite file, which stays whole."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from exporters.writing.pipelines import assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import count
from support.mariadb import MariaDBServer
from support.small_disk import fill, migrate_store
from support.spans import make_span

from e2edebug_schema.engine import create_store_engine

FAST = {"connect_timeout_s": 2.0, "read_timeout_s": 2.0, "write_timeout_s": 2.0}
SMALL = [
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "--innodb-use-native-aio=0",
]
"""A server that fits on 260 MB (reliability page, recipe A)."""


@pytest.mark.fault(14)
def test_a_server_whose_disk_is_full_loses_nothing_once_there_is_room_again(
    small_disk: Callable[[int], Path],
) -> None:
    """MariaDB gives up altogether: a full disk is a server that is gone, not a tidy error 1114."""
    disk = small_disk(260)
    server = MariaDBServer.create(options=SMALL, folder=disk)
    try:
        url = server.create_database()
        migrate_store(url)
        ballast = fill(disk, leave_bytes=3 << 20)
        long_text = "x" * 30_000
        with pipeline_on(url, batch_max_items=50, **FAST) as pipeline:
            for number in range(1, 601):
                pipeline.put_span(make_span(span_id=number, attributes={"note": long_text}))

            assert not pipeline.flush(5.0)
            assert_balanced(pipeline)

            ballast.unlink()
            if not server.is_running():
                server.start()
            assert pipeline.flush(120)
            assert sum(pipeline.stats()["dropped"].values()) == 0
            assert_balanced(pipeline)
        engine = create_store_engine(url)
        assert count(engine, "debugging_trace_step") == 600
        with engine.connect() as connection:
            counted = connection.execute(sa.text("SELECT SUM(step_count) FROM debugging_workflow_session")).scalar_one()
        engine.dispose()
        assert counted == 600
    finally:
        server.stop()


@pytest.mark.fault(15)
def test_a_sqlite_file_on_a_full_disk_stays_whole_and_takes_every_row_later(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(3)
    url = f"sqlite:///{disk / 'store.sqlite3'}"
    migrate_store(url)
    with pipeline_on(url, batch_max_items=50) as pipeline:
        for number in range(1, 401):
            pipeline.put_span(make_span(span_id=number, attributes={"note": "x" * 30_000}))

        assert not pipeline.flush(3.0)
        assert_balanced(pipeline)

        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        assert pipeline.flush(60)
        assert sum(pipeline.stats()["dropped"].values()) == 0
        assert_balanced(pipeline)
    engine = create_store_engine(url)
    assert count(engine, "debugging_trace_step") == 400
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    engine.dispose()
