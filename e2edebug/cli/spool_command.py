"""`e2edebug spool`: what waits on disk for the store, sending it there now, and throwing it away."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from e2edebug.cli.database_option import add_database_option
from e2edebug.cli.exit_codes import CommandError, ExitCode, StoreError, UsageError
from e2edebug.cli.own_name import own_name
from e2edebug.cli.quantities import counted, duration, local_time
from e2edebug.cli.store import settings_of, store_to_change
from e2edebug.cli.terminal import Line, Piece, Terminal, inert
from e2edebug.policy.config import Config
from e2edebug.policy.durability import Durability
from e2edebug.runtime.store_choice import choose_store_url
from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.spool.folder import SpoolFolder, SpoolUnusableError
from e2edebug_exporters.spool.inspection import FolderReport, discard, inspect_spools, replay_all
from e2edebug_exporters.spool.location import is_for_target, spool_root, target_name
from e2edebug_exporters.spool.spool import Spool
from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import require_current
from e2edebug_schema.store_errors import StoreUrlError


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "spool",
        help="what waits on disk for the store: status, replay, discard",
        description="Rows that the store did not take wait on disk, in a folder for each service and database. Running "
        "processes send their own, and what ended ones left, as soon as the store answers.",
    )
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True, dest="action")
    status = actions.add_parser("status", help="what waits, where, and since when")
    replay = actions.add_parser("replay", help="send what waits for this store now, oldest first")
    away = actions.add_parser("discard", help="delete what waits for this store")
    for one, run in ((status, _status), (replay, _replay), (away, _discard)):
        add_database_option(one)
        one.add_argument("--json", action="store_true", help="print JSON")
        one.set_defaults(run=run)
    for one in (replay, away):
        one.add_argument("--folder", metavar="NAME", help="only this folder, whatever database it was for")
    away.add_argument("--yes", action="store_true", help="do not ask")


def _status(arguments: argparse.Namespace) -> ExitCode:
    config = settings_of(arguments.database)
    root, reports, target = _found(config)
    terminal = Terminal()
    if arguments.json:
        folders = [_as_dict(report, target) for report in reports]
        terminal.say(
            json.dumps(
                {
                    "root": str(root),
                    "durability": config.durability.value,
                    "max_bytes": config.spool_max_bytes,
                    "spooled": sum(report.rows for report in reports if is_for_target(report.name, target)),
                    "folders": folders,
                },
                indent=2,
            )
        )
        return ExitCode.OK
    terminal.show(_status_lines(config, root, reports, target))
    return ExitCode.OK


def _status_lines(config: Config, root: Path, reports: Sequence[FolderReport], target: str) -> Iterator[Line]:
    bound = f"{config.durability.value}, at most {_size(config.spool_max_bytes)} for each service and database"
    yield [Piece("spool  ", "quiet"), Piece(inert(str(root)), "title"), Piece(f"  {bound}", "quiet")]
    if config.durability is Durability.MEMORY:
        yield [Piece("E2EDEBUG_DURABILITY=memory: nothing is put on disk", "timeout")]
    filled = [report for report in reports if report.files or report.problem]
    if not filled:
        yield [Piece("nothing waits", "completed")]
    for report in filled:
        yield []
        is_here = is_for_target(report.name, target)
        yield [
            Piece(inert(report.service or report.name), "title"),
            Piece(f"  {inert(report.database)}"),
            Piece("" if is_here else "  (another store)", "quiet"),
        ]
        if report.problem:
            yield [Piece(f"  {inert(report.problem)}", "failed")]
            continue
        what = f"{counted(report.rows, 'row')} in {counted(report.files, 'file')}, {_size(report.size_bytes)}"
        yield [Piece(f"  {what}", "count"), Piece(_age(report), "quiet"), Piece(f"  {report.name}", "quiet")]
        if report.damaged_frames:
            yield [Piece(f"  {counted(report.damaged_frames, 'damaged frame')}: their rows are lost", "failed")]
        if report.held_by:
            yield [Piece(f"  {counted(report.held_rows, 'row')} held by {_processes(report)}, which will send them")]
        if is_here and report.rows > report.held_rows:
            which = "the others" if report.held_rows else "them"
            yield [Piece(f"  to send {which} now: {own_name()} spool replay", "quiet")]


def _replay(arguments: argparse.Namespace) -> ExitCode:
    config = settings_of(arguments.database)
    root, reports, target = _found(config)
    chosen = _chosen(arguments.folder, root, reports, target)
    books = Ledger()
    terminal = Terminal()
    with store_to_change(config) as store:
        require_current(store.engine)
        writer = BatchWriter(store.engine, ledger=books)
        for report in chosen:
            spool = _spool_at(root / report.name, config, books)
            try:
                for _ in replay_all(spool, writer):
                    pass
            except StoreUnavailable as error:
                done = books.read().adopted
                sent = sum(done.values())
                raise StoreError(
                    f"the store takes no rows: {error}; {counted(sent, 'row')} were sent before"
                ) from error
            finally:
                spool.close()
    left = [report for report in inspect_spools(root) if report.name in {one.name for one in chosen} and report.files]
    result = books.read()
    if arguments.json:
        document = {
            "replayed": dict(books.stats()["adopted"]),
            "damaged_frames": result.damaged_frames,
            "left": [_as_dict(report, target) for report in left],
        }
        terminal.say(json.dumps(document, indent=2))
    else:
        terminal.show(_replay_lines(books, left, store.choice.described_as))
    is_complete = not result.damaged_frames and all(report.rows == report.held_rows for report in left)
    return ExitCode.OK if is_complete else ExitCode.FOUND_PROBLEM


def _replay_lines(books: Ledger, left: Sequence[FolderReport], described: str) -> Iterator[Line]:
    reading = books.read()
    stored, known, dropped = (reading.adopted.get(name, 0) for name in ("stored", "already_there", "dropped"))
    if stored or known:
        more = f", {known:,} more were there already" if known else ""
        yield [Piece(f"{counted(stored, 'row')} stored in {inert(described)}{more}", "completed")]
    elif not dropped and not reading.damaged_frames:
        yield [Piece("nothing waited that could be sent", "" if left else "completed")]
    if dropped or reading.damaged_frames:
        lost = f"{counted(dropped, 'row')} lost, {counted(reading.damaged_frames, 'damaged frame')}"
        yield [Piece(f"{lost}{': ' + inert(reading.last_error) if reading.last_error else ''}", "failed")]
    for report in left:
        if report.held_by:
            held = counted(report.held_rows, "row")
            yield [Piece(f"{held} of {inert(report.service)} held by {_processes(report)}, which will send them")]
        if report.rows > report.held_rows:
            others = counted(report.rows - report.held_rows, "row")
            yield [
                Piece(f"{others} of {inert(report.service)} left: written by a newer version, or unreadable", "failed")
            ]


def _discard(arguments: argparse.Namespace) -> ExitCode:
    config = settings_of(arguments.database)
    root, reports, target = _found(config)
    chosen = [report for report in _chosen(arguments.folder, root, reports, target) if report.files]
    terminal = Terminal()
    rows = sum(report.rows - report.held_rows for report in chosen)
    if chosen and not arguments.yes:
        if arguments.json or not sys.stdin.isatty():
            raise UsageError(f"{counted(rows, 'row')} would be deleted for good: say so with --yes")
        terminal.say(f"{counted(rows, 'row')} in {', '.join(one.name for one in chosen)} will be deleted for good.")
        if input("Delete? [y/N] ").strip().lower() not in ("y", "yes"):
            terminal.say("nothing was deleted")
            return ExitCode.FOUND_PROBLEM
    deleted_files = deleted_rows = 0
    try:
        for report in chosen:
            files, count = discard(root / report.name)
            deleted_files, deleted_rows = deleted_files + files, deleted_rows + count
    except SpoolUnusableError as error:
        raise CommandError(str(error)) from error
    if arguments.json:
        terminal.say(json.dumps({"files": deleted_files, "rows": deleted_rows}, indent=2))
    elif deleted_files:
        terminal.say(f"{counted(deleted_rows, 'row')} in {counted(deleted_files, 'file')} deleted", "completed")
    else:
        terminal.say("there was nothing to delete")
    for report in chosen:
        if report.held_by and not arguments.json:
            terminal.say(f"{counted(report.held_rows, 'row')} held by {_processes(report)} stay")
    return ExitCode.OK


def _found(config: Config) -> tuple[Path, list[FolderReport], str]:
    """The root of all spools, what lies in it, and the name of the database that *config* leads to."""
    try:
        root = spool_root(config)
    except RuntimeError as error:
        raise CommandError(f"{error}; set E2EDEBUG_SPOOL_DIR") from error
    try:
        engine = create_store_engine(choose_store_url(config).url)
    except StoreUrlError as error:
        raise UsageError(str(error)) from error
    target = target_name(engine)
    engine.dispose()
    return root, inspect_spools(root), target or ""


def _chosen(name: str | None, root: Path, reports: Sequence[FolderReport], target: str) -> list[FolderReport]:
    if name is None:
        return [report for report in reports if is_for_target(report.name, target)]
    found = [report for report in reports if report.name == name]
    if not found:
        details = [report.name for report in reports]
        raise UsageError(f"--folder {name!r} is no folder in {root}" + (":" if details else ""), details)
    return found


def _spool_at(path: Path, config: Config, books: Ledger) -> Spool:
    return Spool(lambda _make: SpoolFolder.open(path), max_bytes=config.spool_max_bytes, ledger=books)


def _as_dict(report: FolderReport, target: str) -> dict[str, object]:
    oldest = report.oldest_unix_ns
    return {
        "name": report.name,
        "service": report.service,
        "database": report.database,
        "is_this_store": is_for_target(report.name, target),
        "rows": report.rows,
        "frames": report.frames,
        "files": report.files,
        "size_bytes": report.size_bytes,
        "damaged_frames": report.damaged_frames,
        "held_rows": report.held_rows,
        "held_by": report.held_by,
        "oldest": None if oldest is None else datetime.fromtimestamp(oldest / 1e9, UTC).isoformat(),
        "problem": report.problem,
    }


def _age(report: FolderReport) -> str:
    if report.oldest_unix_ns is None:
        return ""
    since = datetime.fromtimestamp(report.oldest_unix_ns / 1e9, UTC)
    age_ms = max(0.0, (datetime.now(UTC) - since).total_seconds() * 1000)
    return f"  since {local_time(since)} ({duration(age_ms)})"


def _processes(report: FolderReport) -> str:
    several = len(report.held_by) > 1
    return f"the running process{'es' if several else ''} {', '.join(map(str, report.held_by))}"


def _size(size_bytes: int) -> str:
    if size_bytes < 1024:
        return f"{size_bytes} bytes"
    for unit in ("KiB", "MiB"):
        size = size_bytes / (1024 if unit == "KiB" else 1 << 20)
        if size < 1024:
            return f"{size:,.3g} {unit}" if size < 100 else f"{size:,.0f} {unit}"
    return f"{size_bytes / (1 << 30):,.3g} GiB"
