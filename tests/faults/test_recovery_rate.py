"""How fast the spool is replayed beside live traffic, and what that costs the live rows: measured and printed."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from exporters.writing.pipelines import assert_balanced, pipeline_on
from exporters.writing.rows_by_hand import execute
from exporters.writing.test_outages import wait_until
from support.fault_table import p99
from support.mariadb import MariaDBServer
from support.spans import make_span

from e2edebug_exporters.held_batch import HeldBatch
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_schema.engine import create_store_engine

RATE = 1000
"""Live spans in a second."""
PHASE_S = 8.0


class LiveLoad:
    """Emits at a steady rate and notes when each span had reached the store as a live row."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pipeline = pipeline
        self._put_at: dict[str, float] = {}
        self._stop = threading.Event()
        self.latencies_s: list[float] = []
        settle = HeldBatch.settle

        def watched(held: HeldBatch, result: Any, *, remaining: Any) -> None:
            batch = held.batch
            settle(held, result, remaining=remaining)
            if remaining is None and batch is not None:
                now = time.monotonic()
                self.latencies_s += [now - self._put_at[row.span_id] for row in batch.steps]

        monkeypatch.setattr(HeldBatch, "settle", watched)
        self._thread = threading.Thread(target=self._emit)
        self._thread.start()

    def _emit(self) -> None:
        number, begun = 0, time.monotonic()
        while not self._stop.wait(0.01):
            while number < (time.monotonic() - begun) * RATE:
                number += 1
                self._put_at[f"{number:016x}"] = time.monotonic()
                self._pipeline.put_span(make_span(span_id=number))

    def latencies(self) -> list[float]:
        """Return those noted since the last call."""
        taken, self.latencies_s = self.latencies_s, []
        return taken

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.long
@pytest.mark.fault(1)
def test_the_spool_is_replayed_as_fast_as_live_rows_come_and_hardly_delays_them(
    victim: MariaDBServer, victim_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = create_store_engine(victim_url)
    with pipeline_on(victim_url, spool_dir=str(tmp_path), flush_interval_s=0.2) as pipeline:
        load = LiveLoad(pipeline, monkeypatch)
        try:
            time.sleep(PHASE_S)
            before = load.latencies()
            execute(control, "RENAME TABLE debugging_trace_step TO away")
            control.dispose()
            time.sleep(PHASE_S)
            execute(control, "RENAME TABLE away TO debugging_trace_step")
            wait_until(lambda: pipeline.stats()["state"] == "recovering", "it does not recover")
            load.latencies()
            waiting, begun = pipeline.stats()["spooled"], time.monotonic()
            wait_until(lambda: pipeline.stats()["spooled"] == 0, "the replay does not end", within_s=120)
            took_s, during = time.monotonic() - begun, load.latencies()
        finally:
            load.stop()
        assert pipeline.flush(60)
        assert_balanced(pipeline)
        assert pipeline.stats()["dropped"] == {}
    control.dispose()

    replayed = waiting / took_s
    live = len(during) / took_s
    print(f"\nreplayed {replayed:,.0f} rows/s beside {live:,.0f} live rows/s ({replayed / max(live, 1):.1f} x)")
    print(
        f"live rows reached the store within {p99(before) * 1000:.0f} ms before (p99), "
        f"{p99(during) * 1000:.0f} ms while it was replayed ({p99(during) / p99(before):.2f} x)"
    )
    assert replayed >= live
