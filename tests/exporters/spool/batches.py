"""Batches, spools and the frames they leave."""

from pathlib import Path

from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.folder import SpoolFolder
from e2edebug_exporters.spool.spool import Spool

from ..writing.rows_by_hand import error, root, snapshot, step


def batch(number: int = 1, *, steps: int = 3) -> RowBatch:
    """Return *steps* steps, an error and a snapshot, different from those of any other *number*."""
    return RowBatch(
        steps=[root(0, trace=number), *(step(one, trace=number) for one in range(1, steps))],
        errors=[error(number, trace=number)],
        snapshots=[snapshot(number)],
    )


def spool_in(root_folder: Path, ledger: Ledger | None = None, *, max_bytes: int = 1 << 30) -> Spool:
    """Return a spool in *root_folder*/shop, as another process would open it."""

    def open_folder(make: bool) -> SpoolFolder | None:
        if make:
            return SpoolFolder.create(root_folder, "shop", {"service": "shop", "database": "db"})
        path = root_folder / "shop"
        return SpoolFolder.open(path) if path.exists() else None

    return Spool(open_folder, max_bytes=max_bytes, ledger=ledger or Ledger())


def put(spool: Spool, ledger: Ledger, *batches: RowBatch) -> None:
    """Append *batches* with the books that go with it."""
    for one in batches:
        ledger.emit(len(one))
        spool.append(one)
        ledger.spool(len(one))


def take_all(spool: Spool) -> list[RowBatch]:
    """Return what is left in the order of replay, each batch accounted for as stored."""
    from e2edebug_exporters.ledger import WriteResult

    taken = []
    while (replay := spool.next()) is not None:
        taken.append(replay.batch)
        spool.settle(replay, WriteResult(stored=len(replay.batch)), remaining=RowBatch())
        spool.done(replay)
    return taken


def frame_files(root_folder: Path) -> list[Path]:
    return sorted((root_folder / "shop").glob("*.frames"))


def flip_byte(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(bytes(data))
