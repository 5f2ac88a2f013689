"""The demo itself: the shop is made ready, shoppers meet its faults, and the store is asked what it knows."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

import findings
import next_commands
import traffic
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.queries.statistics import slowest_endpoints
from e2edebug_schema.store_errors import StoreError
from running_shop import HERE, RunningShop, ShopError
from shop.database import DEFAULT_DATABASE, DatabaseUrlError, database_from_url
from terminal import counted, heading, short

ARRIVAL_LIMIT_S = 20.0
FIRST_ARRIVAL_LIMIT_S = 5.0  # several export intervals, and the making of the tables
TASKS_LIMIT_S = 10.0
SHOPPERS = 4


@dataclass(frozen=True)
class Chapter:
    """A part of the demo: these faults, for this share of the time."""

    title: str
    faults: tuple[str, ...]
    share: float


CHAPTERS = (
    Chapter("all is well", (), 0.2),
    Chapter("N+1 list, slow search, lost index", ("n_plus_one", "slow_query", "missing_index"), 0.15),
    Chapter("cold cache, mail server away", ("cold_cache", "mail_failure"), 0.15),
    Chapter("payment provider hangs", ("payment_timeout",), 0.3),
    Chapter("broken product, locked row", ("serializer_crash", "lock_wait"), 0.2),
)


class NothingArrivedError(Exception):
    """The shop was used, and the store does not know it."""


FAILURES = (ShopError, NothingArrivedError, DatabaseUrlError, StoreError, SQLAlchemyError)
"""What can be wrong with the machine, the database or the arguments; each text says it to the user."""


def demonstrate(*, database_url: str | None, folder: Path, seconds: float, keep_open: bool) -> None:
    """Show everything once; when *keep_open*, leave the shop running until KeyboardInterrupt.

    database_url: for shop and telemetry; None: SQLite files in *folder*. seconds: how long shoppers come.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store_url = _store_url(database_url, folder)
    environment = {
        "E2EDEBUG_DATABASE_URL": store_url,
        "E2EDEBUG_METRIC_INTERVAL_S": "10",  # a minute, the default, would leave one interval to show
        **({"DATABASE_URL": database_url} if database_url else {}),
    }
    print(f"  files and logs   {short(folder)}")
    print(f"  telemetry        {_readable(store_url)}")

    heading("Making the shop ready")
    shop = RunningShop(folder, environment)
    shop.prepare()
    print("  starting the shop, its worker and its payment provider")
    started = datetime.now(UTC)
    engine = create_store_engine(store_url)
    try:
        with shop, _faults_off_afterwards(shop):
            # A request asked whether the shop is up. When not even that is stored, shoppers are a waste of time.
            _wait_for_the_telemetry(engine, 1, started, shop, FIRST_ARRIVAL_LIMIT_S)
            print(f"  it answers at {shop.url}/api/products/")
            print(f"  its admin is {shop.url}/admin/debugging/ (log in as staff, password: {traffic.PASSWORD})")
            since = datetime.now(UTC)  # that request came from no shopper: the findings are about later ones
            answered = _send_shoppers(shop, seconds)
            _let_the_tasks_run(shop)
            shop.switch_faults("only")
            _wait_for_the_telemetry(engine, answered, since, shop, ARRIVAL_LIMIT_S)
            print(f"\n  {counted(answered, 'request')} answered, all of them stored.")
            _show_findings(engine, since, store_url)
            _show_worst_checkout(engine, since, environment)
            _show_checkout_with_mail(engine, since, environment)
            _name_the_next_commands(store_url)
            if keep_open:
                _keep_running(shop, database_url)
    finally:
        engine.dispose()


def _send_shoppers(shop: RunningShop, seconds: float) -> int:
    """Play the chapters; return how many requests were answered."""
    heading("Shoppers")
    answered = 0
    for number, chapter in enumerate(CHAPTERS):
        shop.switch_faults("only", *chapter.faults)
        answered += _play(chapter, shop, seconds * chapter.share, seed=number)
    return answered


def _play(chapter: Chapter, shop: RunningShop, seconds: float, *, seed: int) -> int:
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
    print(f"\r{line(report)}" if live else line(report))
    if not report.requests:
        raise ShopError(f"the shop answers nobody; the end of {shop.log}:\n{shop.last_words()}")
    return report.requests


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


def _show_findings(engine: Engine, since: datetime, store_url: str) -> None:
    heading("What the store knows")
    print(f"  The `show` commands below need this line first{next_commands.what_to_fill_in(store_url)}:")
    print(f"  {next_commands.export('E2EDEBUG_DATABASE_URL', store_url)}")
    for title, lines in (
        ("Workflows that failed, and where", findings.failures(engine, since=since)),
        ("Slowest requests (95 % were faster than)", findings.endpoints(engine, since=since)),
        ("Statements repeated within one request", findings.repetitions(engine, since=since)),
        ("Statements that took the most time", findings.statements(engine, since=since)),
        ("Caches, and how often they had it", findings.caches(engine, since=since)),
        ("Other services and tasks (95 % were faster than)", findings.calls_and_tasks(engine, since=since)),
        ("Errors, by cause", findings.errors(engine, since=since)),
    ):
        heading(title)
        for line in list(lines) or ["none"]:
            print(f"  {line}")


def _show_worst_checkout(engine: Engine, since: datetime, environment: dict[str, str]) -> None:
    worst = findings.worst_session(engine, "checkout", since=since)
    if worst is None:
        raise NothingArrivedError("shoppers checked out, and no workflow of type checkout is in the store")
    heading("The worst checkout")
    print(f"  {next_commands.show(worst.correlation_id)}\n", flush=True)
    command = [sys.executable, "-m", "e2edebug.cli", "show", worst.correlation_id]
    subprocess.run(command, env={**os.environ, **environment}, check=False)


def _show_checkout_with_mail(engine: Engine, since: datetime, environment: dict[str, str]) -> None:
    found = findings.session_with_task(engine, "checkout", since=since)
    if found is None:
        return  # a short demo on a slow machine may end before the worker has sent a mail
    heading("A checkout that went through, with its mail in another process")
    print(f"  {next_commands.show(found.correlation_id)}\n", flush=True)
    command = [sys.executable, "-m", "e2edebug.cli", "show", found.correlation_id]
    subprocess.run(command, env={**os.environ, **environment}, check=False)


def _let_the_tasks_run(shop: RunningShop) -> None:
    """Return when no task waits any more, or TASKS_LIMIT_S have passed."""
    deadline = time.monotonic() + TASKS_LIMIT_S
    while shop.waiting_tasks() and time.monotonic() < deadline:
        time.sleep(0.1)


def _name_the_next_commands(store_url: str) -> None:
    heading(f"To look further{next_commands.what_to_fill_in(store_url)}")
    print(f"  {next_commands.export('E2EDEBUG_DATABASE_URL', store_url)}")
    for arguments in ("sessions --status failed", "sessions --type checkout", "show <correlation id>"):
        print(f"  {next_commands.program()} {arguments}")
    print(f"  {next_commands.database_client(store_url)}")
    print(f"  {short(HERE.parents[1] / 'schema' / 'README.md')} has twelve queries to paste into the mysql client;")
    print("  most run in sqlite3 too, as the notes there say")


def _keep_running(shop: RunningShop, database_url: str | None) -> None:
    """Send a shopper now and then until Ctrl-C."""
    heading(f"The shop stays open at {shop.url}/api/products/ (Ctrl-C ends it)")
    fill_in = next_commands.what_to_fill_in(database_url) if database_url else ""
    print(f"  Its faults, from another terminal{fill_in}:")
    if database_url:
        print(f"  {next_commands.export('DATABASE_URL', database_url)}")
    if shop.work_folder != HERE / ".demo":
        print(f"  export SHOP_WORK_FOLDER={short(shop.work_folder)}")
    print(f"  {short(Path(sys.executable))} {short(HERE / 'faults.py')} list")
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
        print("\nEnding the shop …")
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
    return short(Path(parsed.database or "")) if parsed.drivername == "sqlite" else parsed.render_as_string()
