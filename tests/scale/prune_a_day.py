"""Retention of one day while an application writes: how long it takes, and what the writer feels of it."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime

from scale.report import Finding

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.reading import reading
from e2edebug_schema.retention.apply import apply_retention
from e2edebug_schema.retention.old_days import closed_days
from e2edebug_schema.retention.policy import RetentionPolicy
from e2edebug_schema.tables import trace_step

QUIET_S = 12.0
WRITER_BOUND = 2.0
DAY_BOUND_S = 1.0


def measure_retention(url: str) -> list[Finding]:
    """Merge what is old, then drop the oldest day under a writer."""
    engine = create_store_engine(url, read_timeout_s=120)
    began_s = time.monotonic()
    merged = apply_retention(engine, RetentionPolicy({}, max_bytes=0))
    merge_s = time.monotonic() - began_s
    rows = sum(step.rows for step in merged.steps if step.kind == "merge")
    findings = [Finding("snapshots merged into hours", f"{rows:,} rows in {merge_s:.1f} s", "none", True)]

    now = datetime.now(UTC)
    with reading(engine) as connection:
        days = closed_days(connection, trace_step, now)
        # The oldest that is full: the loader begins in the middle of a day.
        day = next(day for day in days if day.rows > 0.8 * max(other.rows for other in days))
        count = f"SELECT COUNT(*) FROM debugging_trace_step PARTITION ({day.partition})"
        exact = connection.exec_driver_sql(count).scalar_one()
    policy = RetentionPolicy({trace_step.name: (now - day.before).total_seconds() / 86_400}, max_bytes=0)
    writer = subprocess.Popen(
        [sys.executable, "-m", "scale.writer", url, str(QUIET_S * 2 + 4)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(QUIET_S + 3)  # two seconds to begin with, and one of its first batches
    began_s = time.monotonic()
    outcome = apply_retention(engine, policy)
    prune_s = time.monotonic() - began_s
    taken = json.loads(writer.communicate(timeout=120)[0])
    engine.dispose()

    before = [ms for at, ms in taken if began_s - QUIET_S <= at < began_s - 0.5]
    during = [ms for at, ms in taken if began_s - 0.5 <= at < began_s + QUIET_S - 0.5]
    within = [ms for at, ms in taken if began_s <= at + ms / 1000 and at <= began_s + prune_s]
    ratio = _p99(during) / _p99(before)
    dropped = [step for step in outcome.steps if step.kind == "drop" and step.table == trace_step.name]
    return [
        *findings,
        Finding(
            f"retention of a day of {exact:,} steps",
            f"{prune_s * 1000:.0f} ms, {len(dropped)} partition(s) dropped",
            f"{DAY_BOUND_S:.0f} s",
            prune_s < DAY_BOUND_S and len(dropped) >= 1,
        ),
        Finding(
            "p99 of a writer meanwhile",
            f"{_p99(before):.1f} ms before, {_p99(during):.1f} ms: {ratio:.2f} times",
            f"{WRITER_BOUND:.0f} times",
            ratio <= WRITER_BOUND,
        ),
        Finding(
            "slowest batch of the writer during the drop",
            f"{max(within, default=0):.0f} ms",
            "1000 ms",
            max(within, default=0) < 1000,
        ),
    ]


def _p99(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]
