"""What lies in the spool folders, and what an operator may do with it by hand."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from e2edebug_exporters.batch_writer import BatchWriter, StoreUnavailable
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.folder import SpoolFolder, SpoolUnusableError, folders
from e2edebug_exporters.spool.frames import Frame, read_frames
from e2edebug_exporters.spool.spool import Spool

_REPLAY_DEADLINE_S = 60.0


@dataclass(slots=True)
class FolderReport:
    """One spool folder: what it is for and what it holds."""

    name: str
    service: str
    database: str
    files: int = 0
    frames: int = 0
    rows: int = 0
    damaged_frames: int = 0
    size_bytes: int = 0
    oldest_unix_ns: int | None = None
    held_by: list[int] = field(default_factory=list)
    """Running processes that have files here, and replay them themselves."""
    held_rows: int = 0
    problem: str | None = None
    """Why it could not be read."""


def inspect_spools(root: Path) -> list[FolderReport]:
    """Return a report on each spool folder below *root*, by name."""
    return [_inspect(path) for path in folders(root)]


def _inspect(path: Path) -> FolderReport:
    report = FolderReport(path.name, "", "")
    try:
        folder = SpoolFolder.open(path)
    except SpoolUnusableError as error:
        report.problem = str(error)
        return report
    try:
        about = folder.about()
        report.service, report.database = about.get("service", ""), about.get("database", "")
        holders = {owner: pid for owner in folder.owners() if (pid := folder.holder(owner)) is not None}
        report.held_by = sorted(set(holders.values()))
        for segment, size in folder.segments():
            report.files += 1
            report.size_bytes += size
            report.oldest_unix_ns = report.oldest_unix_ns or segment.created_unix_ns
            try:
                data = folder.read(segment)
            except FileNotFoundError:  # replayed meanwhile
                continue
            is_held = segment.owner in holders
            for found in read_frames(data):
                if isinstance(found, Frame):
                    report.frames += 1
                    report.rows += found.rows
                    report.held_rows += found.rows if is_held else 0
                elif not is_held:  # else its process is just writing it
                    report.damaged_frames += 1
    except OSError as error:
        report.problem = f"{path}: {error.strerror or error}"
    finally:
        folder.close()
    return report


def replay_all(spool: Spool, writer: BatchWriter, *, clock: Callable[[], float] = time.monotonic) -> Iterator[int]:
    """Store every frame that no running process holds, oldest first; yield how many rows each of them had.

    What became of them is in the books of *spool*. Raises StoreUnavailable; what is not stored by then stays on disk.
    """
    while spool.adopt():
        while (replay := spool.next()) is not None:
            rows = len(replay.batch)
            try:
                result = writer.write(replay.batch, deadline=clock() + _REPLAY_DEADLINE_S)
            except StoreUnavailable as unavailable:
                spool.settle(replay, unavailable.result, remaining=unavailable.remaining)
                raise
            spool.settle(replay, result, remaining=RowBatch())
            spool.done(replay)
            yield rows


def discard(path: Path) -> tuple[int, int]:
    """Delete what no running process holds of the folder at *path*; return how many files and rows that were.

    Raises SpoolUnusableError.
    """
    folder = SpoolFolder.open(path)
    files = rows = 0
    try:
        for owner in sorted(folder.owners()):
            claim = folder.claim(owner)
            if claim is None:
                continue
            for segment, _ in folder.segments():
                if segment.owner == owner:
                    rows += sum(found.rows or 0 for found in read_frames(folder.read(segment)))
                    folder.remove(segment)
                    files += 1
            claim.release(is_finished=True)
    except OSError as error:
        raise SpoolUnusableError(f"{path}: {error.strerror or error}") from error
    finally:
        folder.close()
    return files, rows
