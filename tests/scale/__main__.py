"""`make test-scale`: a store of millions of steps on MariaDB, and whether pages and retention stay within their bounds.

make test-scale                     # 200,000 steps: a try of a minute or two
make test-scale STEPS=5000000       # what the bounds are for; some minutes
python -m scale --database-url mysql+pymysql://...    # a store that the loader has filled before
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from scale.pages import measure_pages
from scale.prune_a_day import measure_retention
from scale.report import Finding, show
from support.mariadb import MariaDBServer

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.loader import main as load

STEPS_PER_SESSION = 10
SERVER_OPTIONS = (
    "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M", "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, measure, print; 0 when every bound holds."""
    parser = argparse.ArgumentParser(prog="python -m scale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument(
        "--rounds", type=int, default=10, help="how often each page is asked for in each of four passes"
    )
    parser.add_argument("--database-url", help="a store that is full already; nothing is loaded")
    parser.add_argument("--keep-days", action="store_true", help="do not drop a day, to measure the same store again")
    given = parser.parse_args(arguments)
    with _store(given.database_url, given.steps) as url, tempfile.TemporaryDirectory() as folder:
        _say_what_is_there(url)
        findings: list[Finding] = measure_pages(Path(folder) / "project", url, rounds=given.rounds)
        if not given.keep_days:
            findings += measure_retention(url)
    return show(findings)


@contextmanager
def _store(url: str | None, steps: int) -> Iterator[str]:
    if url is not None:
        yield url
        return
    server = MariaDBServer.create(options=SERVER_OPTIONS)
    try:
        made = server.create_database()
        began_s = time.monotonic()
        load(["--url", made, "--sessions", str(steps // STEPS_PER_SESSION), "--days", "7", "--seed", "1"])
        took_s = time.monotonic() - began_s
        print(f"loaded in {took_s:.0f} s ({steps / took_s:,.0f} steps a second)", flush=True)
        yield made
    finally:
        server.remove()


def _say_what_is_there(url: str) -> None:
    engine = create_store_engine(url, read_timeout_s=60)
    with engine.connect() as connection:
        version = connection.exec_driver_sql("SELECT VERSION()").scalar_one()
        counts = {
            name: connection.execute(sa.text(f"SELECT COUNT(*) FROM debugging_{name}")).scalar_one()
            for name in ("trace_step", "workflow_session", "performance_snapshot", "error_log")
        }
    engine.dispose()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"MariaDB {version}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
