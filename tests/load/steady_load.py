"""A steady load for as long as one likes, after the OpenTelemetry Collector's testbed.

`python tests/load/steady_load.py --seconds 300 --rate 1000` starts a MariaDB and a host that emits, and tells what was
held: the rate, the processor's time, the memory; and which ids were emitted and are not stored, or the other way round.
Exit code 1 when any id is missing, anything was dropped, the rate was missed or the memory grew beyond its cap.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.mariadb import MariaDBServer

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate

DEFAULT_SECONDS: Final = 60.0
DEFAULT_RATE: Final = 500
DEFAULT_GROWTH_MB: Final = 128
_HOST: Final = Path(__file__).with_name("steady_host.py")
_ID_BYTES: Final = 24
_MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one run held."""

    asked_rate: int
    host: Mapping[str, Any]
    missing: int
    """Ids emitted and not stored."""
    strange: int
    """Ids stored and not emitted, or stored twice."""
    growth_limit_mb: int

    @property
    def rate(self) -> float:
        return float(self.host["spans"] / self.host["elapsed_s"])

    @property
    def growth_mb(self) -> float:
        """How much the memory grew above what it was before the first span of the run."""
        return float((self.host["rss_peak_bytes"] - self.host["rss_at_start_bytes"]) / _MB)

    @property
    def complaints(self) -> list[str]:
        """What was not held."""
        found = []
        if self.missing or self.strange:
            found.append(f"{self.missing:,} ids are missing and {self.strange:,} are too many")
        if not (self.host["is_flushed"] and self.host["is_balanced"]):
            found.append(f"the books do not balance: {self.host['books']}")
        if self.host["books"]["dropped"]:
            found.append(f"dropped: {self.host['books']['dropped']}")
        if self.rate < 0.9 * self.asked_rate:
            found.append(f"{self.rate:,.0f} spans/s instead of {self.asked_rate:,}")
        if self.growth_mb > self.growth_limit_mb:
            found.append(f"the memory grew by {self.growth_mb:.0f} MB, more than {self.growth_limit_mb}")
        return found

    def lines(self) -> list[str]:
        """Return the table."""
        host = self.host
        per_span_us = host["cpu_s"] / host["spans"] * 1e6
        return [
            f"rate asked      {self.asked_rate:>12,} spans/s",
            f"rate held       {self.rate:>12,.0f} spans/s for {host['elapsed_s']:.0f} s",
            f"emitted         {host['spans']:>12,} spans",
            f"missing         {self.missing:>12,}",
            f"too many        {self.strange:>12,}",
            f"processor       {100 * host['cpu_s'] / host['elapsed_s']:>12.1f} % of one, {per_span_us:.0f} us a span",
            f"  of the host's {100 * host['host_thread_cpu_s'] / host['elapsed_s']:>12.1f} % of one, in the thread that emits",
            f"memory at start {host['rss_at_start_bytes'] / _MB:>12.0f} MB",
            f"memory at most  {host['rss_peak_bytes'] / _MB:>12.0f} MB ({self.growth_limit_mb} MB more than at start allowed)",
            f"queue at most   {host['queue_peak_bytes'] / _MB:>12.1f} MB",
            f"books           {host['books']}",
        ]


def run_load(
    url: str, folder: Path, *, seconds: float, rate: int, growth_limit_mb: int = DEFAULT_GROWTH_MB, **config: Any
) -> LoadResult:
    """Migrate the store at *url*, emit into it from a process of its own, and compare the ids."""
    engine = create_store_engine(url)
    migrate(engine)
    ids = folder / "ids"
    settings = {"url": url, "ids": str(ids), "seconds": seconds, "rate": rate, "config": config}
    finished = subprocess.run(
        [sys.executable, str(_HOST)],
        env=os.environ | {"STEADY_LOAD": json.dumps(settings)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 240,
    )
    emitted = _read_ids(ids)
    stored, rows = _stored_ids(engine)
    engine.dispose()
    return LoadResult(
        asked_rate=rate,
        host=json.loads(finished.stdout),
        missing=len(emitted - stored),
        strange=len(stored - emitted) + rows - len(stored),
        growth_limit_mb=growth_limit_mb,
    )


def _read_ids(path: Path) -> set[bytes]:
    data = path.read_bytes()
    return {data[start : start + _ID_BYTES] for start in range(0, len(data), _ID_BYTES)}


def _stored_ids(engine: sa.Engine) -> tuple[set[bytes], int]:
    """Return the ids of the run, and how many rows they are; the request before it, number 0, is left out."""
    found: set[bytes] = set()
    rows = 0
    query = (
        "SELECT trace_id, span_id FROM debugging_trace_step WHERE trace_id <> "
        "(SELECT trace_id FROM debugging_trace_step WHERE metadata LIKE '%\"rows\":0%' LIMIT 1)"
    )
    with engine.connect() as connection:
        for trace_id, span_id in connection.exec_driver_sql(query.replace("%", "%%")):
            found.add(bytes.fromhex(trace_id + span_id))
            rows += 1
    return found, rows


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS)
    parser.add_argument("--rate", type=int, default=DEFAULT_RATE, help="spans a second")
    parser.add_argument("--growth-mb", type=int, default=DEFAULT_GROWTH_MB, help="how much the memory may grow")
    parser.add_argument("--sqlite", action="store_true", help="a SQLite file instead of a MariaDB of its own")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="e2edebug-load-") as folder:
        server = None if arguments.sqlite else MariaDBServer.create()
        try:
            url = f"sqlite:///{folder}/store.sqlite3" if server is None else server.create_database()
            result = run_load(
                url, Path(folder), seconds=arguments.seconds, rate=arguments.rate, growth_limit_mb=arguments.growth_mb
            )
        finally:
            if server is not None:
                server.remove()
    print("\n".join(result.lines()))
    for complaint in result.complaints:
        print(f"NOT HELD: {complaint}")
    return 1 if result.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
