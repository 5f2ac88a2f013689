#!/usr/bin/env python
"""A shop with shoppers and faults, and what e2edebug found in it.

Starts the shop under gunicorn and its payment provider, sends shoppers, switches faults on, and says in plain
words what the store knows afterwards. Everything that it starts is gone when it ends.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

import findings
import traffic
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.statistics import slowest_endpoints
from e2edebug_schema.store_errors import StoreError
from running_shop import HERE, RunningShop, ShopError
from shop.database import DEFAULT_DATABASE, DatabaseUrlError, database_from_url

ARRIVAL_LIMIT_S = 20.0
FIRST_ARRIVAL_LIMIT_S = 5.0  # several export intervals, and the making of the tables
SHOPPERS = 4


@dataclass(frozen=True)
class Chapter:
    """A part of the demo: these faults, for this share of the time."""

    title: str
    faults: tuple[str, ...]
    share: float


CHAPTERS = (
    Chapter("all is well", (), 0.25),
    Chapter("N+1 list, slow search, lost index", ("n_plus_one", "slow_query", "missing_index"), 0.25),
    Chapter("payment provider hangs", ("payment_timeout",), 0.3),
    Chapter("broken product, locked row", ("serializer_crash", "lock_wait"), 0.2),
)


class NothingArrivedError(Exception):
    """The shop was used, and the store does not know it."""


def main() -> int:
    """Run the demo that the command line asks for; 0 when it showed what it promised."""
    arguments = _arguments()
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end_in_order)
    try:
        _demonstrate(arguments)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.")
        return 0 if not arguments.once else 130
    except (ShopError, NothingArrivedError, DatabaseUrlError, StoreError, SQLAlchemyError) as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--once", action="store_true", help="end after the findings instead of running until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long shoppers come (default: 40)")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("DATABASE_URL"),
        help="mysql+pymysql://user:password@host:3306/database for shop and telemetry (default: SQLite files)",
    )
    parser.add_argument("--work-folder", type=Path, default=HERE / ".demo", help="where files and logs go")
    arguments = parser.parse_args()
    if arguments.seconds < 4:
        parser.error("--seconds must be 4 or more: four chapters do not fit into less")
    return arguments


def _demonstrate(arguments: argparse.Namespace) -> None:
    folder: Path = arguments.work_folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    store_url = _store_url(arguments.database_url, folder)
    environment = {
        "E2EDEBUG_DATABASE_URL": store_url,
        "E2EDEBUG_METRIC_INTERVAL_S": "10",  # a minute, the default, would leave one interval to show
        **({"DATABASE_URL": arguments.database_url} if arguments.database_url else {}),
    }
    _heading("e2edebug demo: a shop, its shoppers, and its faults")
    print(f"  files and logs   {_short(folder)}")
    print(f"  telemetry        {_readable(store_url)}")

    _heading("Making the shop ready")
    shop = RunningShop(folder, environment)
    shop.prepare()
    since = datetime.now(UTC)
    engine = create_store_engine(store_url)
    try:
        with shop, _faults_off_afterwards(shop):
            print(f"  the shop answers at {shop.url}/api/products/")
            # A request asked whether the shop is up. When not even that is stored, shoppers are a waste of time.
            _wait_for_the_telemetry(engine, 1, since, shop, FIRST_ARRIVAL_LIMIT_S)
            sent = 1 + _send_shoppers(shop, arguments.seconds)
            shop.switch_faults("only")
            _wait_for_the_telemetry(engine, sent, since, shop, ARRIVAL_LIMIT_S)
            print(f"\n  {sent:,} requests answered, all of them stored.")
            _show_findings(engine, since)
            _show_worst_checkout(engine, since, environment)
            _name_the_next_commands(arguments.database_url, store_url)
            if not arguments.once:
                _keep_running(shop, is_mysql=not store_url.startswith("sqlite"))
    finally:
        engine.dispose()


def _send_shoppers(shop: RunningShop, seconds: float) -> int:
    """Play the chapters; return how many requests were answered."""
    _heading("Shoppers")
    answered = 0
    for number, chapter in enumerate(CHAPTERS):
        shop.switch_faults("only", *chapter.faults)
        report = _progress(chapter, shop, seconds * chapter.share, seed=number)
        answered += report["requests"]
    return answered


def _progress(chapter: Chapter, shop: RunningShop, seconds: float, *, seed: int) -> dict[str, Any]:
    started = time.monotonic()
    live = sys.stdout.isatty()

    def line(report: traffic.Report) -> str:
        counts = report.as_json()
        failed = sum(count for status, count in counts["by_status"].items() if int(status) >= 500)
        elapsed_s = time.monotonic() - started
        return f"  {chapter.title:<36}{elapsed_s:>4.0f} s {counts['requests']:>6} requests {failed:>4} failed"

    def show(report: traffic.Report) -> None:
        if live:
            print(f"\r{line(report)}", end="", flush=True)

    report = traffic.run(shop.url, seconds=seconds, requests=1_000_000, shoppers=SHOPPERS, seed=seed, on_progress=show)
    print(f"\r{line(report)}" if live else line(report), flush=True)
    if not report.requests:
        raise ShopError(f"the shop answers nobody; the end of {shop.log}:\n{shop.last_words()}")
    return report.as_json()


def _wait_for_the_telemetry(engine: Engine, sent: int, since: datetime, shop: RunningShop, limit_s: float) -> None:
    """Return when *sent* requests are stored. Raises NothingArrivedError when that does not happen within *limit_s*."""
    deadline = time.monotonic() + limit_s
    stored = 0
    trouble = ""
    while time.monotonic() < deadline:
        try:
            stored = sum(endpoint.count for endpoint in slowest_endpoints(engine, since=since, limit=1000))
        except (StoreError, SQLAlchemyError) as failure:
            trouble = f" ({str(failure).partition(chr(10))[0]})"
        if stored >= sent:
            return
        time.sleep(0.3)
    raise NothingArrivedError(
        f"{stored:,} of {sent:,} answered requests are in the store{trouble}.\n"
        f"The end of {shop.log}:\n{shop.last_words()}"
    )


def _show_findings(engine: Engine, since: datetime) -> None:
    for title, lines in (
        ("Workflows that failed, and where", findings.failures(engine, since=since)),
        ("Slowest requests (95 of 100 were faster than)", findings.endpoints(engine, since=since)),
        ("Statements repeated within one request", findings.repetitions(engine, since=since)),
        ("Statements that took the most time", findings.statements(engine, since=since)),
        ("Errors, by cause", findings.errors(engine, since=since)),
    ):
        _heading(title)
        for line in list(lines) or ["none"]:
            print(f"  {line}")


def _show_worst_checkout(engine: Engine, since: datetime, environment: dict[str, str]) -> None:
    worst = findings.worst_session(engine, "checkout", since=since)
    if worst is None:
        raise NothingArrivedError("shoppers checked out, and no workflow of type checkout is in the store")
    _heading("The worst checkout")
    sys.stdout.flush()
    command = [sys.executable, "-m", "e2edebug.cli", "show", worst.correlation_id]
    subprocess.run(command, env={**os.environ, **environment}, check=False)


def _name_the_next_commands(database_url: str | None, store_url: str) -> None:
    _heading("To look further")
    # The password stays out of the terminal's scrollback.
    value = "$DATABASE_URL" if database_url else store_url
    command = _short(Path(sys.executable).parent / "e2edebug")
    print(f"  export E2EDEBUG_DATABASE_URL={value}")
    for arguments in ("sessions --status failed", "sessions --type checkout", "show <correlation id>"):
        print(f"  {command} {arguments}")
    if not database_url:
        print(f"  sqlite3 {_short(Path(make_url(store_url).database or ''))}")
    print("  schema/README.md has twelve queries to paste")


def _keep_running(shop: RunningShop, *, is_mysql: bool) -> None:
    """Send a shopper now and then until Ctrl-C."""
    _heading(f"The shop stays open at {shop.url}/api/products/ (Ctrl-C ends it)")
    print("  Its faults, from another terminal" + (", with the same DATABASE_URL:" if is_mysql else ":"))
    if shop.work_folder != HERE / ".demo":
        print(f"  export SHOP_WORK_FOLDER={_short(shop.work_folder)}")
    print(f"  {_short(Path(sys.executable))} {_short(HERE / 'faults.py')} list", flush=True)
    stop = threading.Event()
    try:
        traffic.run(shop.url, seconds=float("inf"), requests=sys.maxsize, shoppers=2, seed=99, stop=stop, pause_s=2.0)
    finally:
        stop.set()


@contextmanager
def _faults_off_afterwards(shop: RunningShop) -> Iterator[None]:
    try:
        yield
    except BaseException:
        print("\nEnding the shop ...", flush=True)
        shop.switch_faults("only")
        raise


def _store_url(database_url: str | None, folder: Path) -> str:
    """Return where the telemetry goes: the shop's own MySQL database, or a SQLite file beside the shop's.

    On MySQL shop and telemetry share a database, as they do in a project that sets nothing: the tables have a prefix
    of their own, and no right to create a second database is needed.
    """
    if not database_url or database_url.startswith("sqlite"):
        return f"sqlite:///{folder / 'e2edebug.sqlite3'}"
    database_from_url(database_url, folder=folder)  # refuses what the shop cannot use
    try:
        url = make_url(database_url)
    except ArgumentError as wrong:
        raise DatabaseUrlError("DATABASE_URL is not a URL of the form mysql+pymysql://user:password@host/db") from wrong
    return url.set(drivername="mysql+pymysql", database=url.database or DEFAULT_DATABASE).render_as_string(
        hide_password=False
    )


def _readable(url: str) -> str:
    parsed = make_url(url)
    return _short(Path(parsed.database or "")) if parsed.drivername == "sqlite" else parsed.render_as_string()


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def _end_in_order(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C while the processes are being ended would leave some of them behind.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
