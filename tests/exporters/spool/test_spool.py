"""The files of one process: order, bounds, damage, and who may take them over."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.folder import SpoolFolder, SpoolUnusableError

from ..writing.rows_by_hand import error, root, snapshot, step
from .batches import batch, flip_byte, frame_files, put, spool_in, take_all


def test_frames_come_back_oldest_first_and_leave_nothing(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger, max_bytes=1 << 20)
    batches = [batch(number, steps=200) for number in range(60)]
    put(spool, ledger, *batches)

    assert len(frame_files(tmp_path)) > 1
    assert ledger.read().spooled == sum(map(len, batches))
    assert take_all(spool) == batches
    assert (ledger.read().stored, ledger.read().spooled) == (sum(map(len, batches)), 0)
    spool.close()
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["about.json"]


def test_nothing_is_made_on_disk_before_a_batch_is_put_there(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)

    assert not spool.adopt()
    assert spool.next() is None
    spool.close()

    assert list(tmp_path.iterdir()) == []


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = Ledger()
        put(spool_in(tmp_path / "root", ledger), ledger, batch())
    finally:
        os.umask(before)

    paths = [tmp_path / "root", *(tmp_path / "root").rglob("*")]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert len(modes) == 5  # root, folder, about.json, lock, frames
    assert {mode for name, mode in modes.items() if name in ("root", "shop")} == {0o700}
    assert {mode for name, mode in modes.items() if name not in ("root", "shop")} == {0o600}


def test_a_folder_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir(mode=0o755)

    SpoolFolder.create(tmp_path, "shop", {}).close()

    assert stat.S_IMODE((tmp_path / "shop").stat().st_mode) == 0o700


def test_a_symbolic_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "shop").symlink_to(elsewhere)
    spool = spool_in(tmp_path / "root")

    with pytest.raises(SpoolUnusableError, match="symbolic link"):
        spool.append(batch())

    assert spool.failures == 1
    assert list(elsewhere.iterdir()) == []


def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = SpoolFolder.create(tmp_path, "shop", {})
    (tmp_path / "shop" / "1-ab.lock").symlink_to(victim)
    (tmp_path / "shop" / f"{1:020d}.1-ab.frames").symlink_to(victim)

    with pytest.raises(OSError, match="symbolic link"):
        folder.claim("1-ab")

    assert folder.segments() == []
    assert victim.read_text() == "precious"


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").mkdir()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

    with pytest.raises(SpoolUnusableError, match="another user"):
        SpoolFolder.open(tmp_path / "shop")


def test_what_a_living_process_has_is_its_own_and_what_a_dead_one_left_is_adopted(tmp_path: Path) -> None:
    books = Ledger()
    alive = spool_in(tmp_path, books)
    put(alive, books, batch(1))
    own, other = Ledger(), spool_in(tmp_path)
    other._ledger = own

    assert not other.adopt()
    alive.close()
    assert other.adopt()
    assert take_all(other) == [batch(1)]

    assert own.read().adopted == {"stored": 5, "already_there": 0, "dropped": 0}
    assert own.read().emitted == 0
    assert books.read().spooled == 5
    assert own.read().is_balanced
    assert books.read().is_balanced


@pytest.mark.fault(19)
def test_a_killed_process_leaves_its_frames_to_the_next(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
        "from exporters.spool.batches import batch, spool_in\n"
        "spool = spool_in(Path(sys.argv[1])); spool.append(batch(1)); spool.append(batch(2)); print('ready', flush=True)\n"
        "os.read(0, 1)\n"
    )
    tests = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), tests], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        heir = spool_in(tmp_path)
        assert not heir.adopt()
        process.kill()
        process.wait()

    assert heir.adopt()
    assert take_all(heir) == [batch(1), batch(2)]
    heir.close()
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["about.json"]


def test_two_heirs_do_not_share_an_inheritance(tmp_path: Path) -> None:
    ledger = Ledger()
    dead = spool_in(tmp_path, ledger)
    put(dead, ledger, batch(1), batch(2))
    dead.close()
    first, second = spool_in(tmp_path), spool_in(tmp_path)

    assert first.adopt()
    assert not second.adopt()
    assert first.next() is not None
    first.close()

    assert second.adopt()
    assert take_all(second) == [batch(1), batch(2)]


def test_what_several_processes_left_is_replayed_in_the_order_in_which_it_was_written(tmp_path: Path) -> None:
    left = []
    for number in range(4):
        ledger = Ledger()
        dead = spool_in(tmp_path, ledger)
        put(dead, ledger, batch(number))
        left.append(dead)
    for dead in reversed(left):
        dead.close()
    heir = spool_in(tmp_path)

    assert heir.adopt()

    assert take_all(heir) == [batch(number) for number in range(4)]


def test_a_forked_child_gives_up_nothing_of_its_parents(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1))
    pid = os.fork()
    if pid == 0:
        spool.after_fork_in_child()
        is_right = spool.is_empty and not spool.adopt()
        spool.append(batch(2))
        os._exit(0 if is_right else 1)

    assert os.waitpid(pid, 0)[1] == 0
    heir = spool_in(tmp_path)
    assert heir.adopt()
    assert take_all(heir) == [batch(2)]
    assert take_all(spool) == [batch(1)]


@pytest.mark.fault(16)
def test_a_damaged_frame_is_counted_and_costs_no_other(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1))
    first_end = frame_files(tmp_path)[0].stat().st_size
    put(spool, ledger, batch(2), batch(3))
    flip_byte(frame_files(tmp_path)[0], first_end + 30)

    assert take_all(spool) == [batch(1), batch(3)]

    reading = ledger.read()
    assert (reading.damaged_frames, dict(reading.dropped), reading.stored) == (1, {"spool_damaged": 5}, 10)
    assert reading.is_balanced


@pytest.mark.fault(16)
def test_rows_behind_a_damaged_header_are_counted_by_who_wrote_them(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1), batch(2))
    flip_byte(frame_files(tmp_path)[0], 1)

    assert take_all(spool) == [batch(2)]

    assert dict(ledger.read().dropped) == {"spool_damaged": 5}
    assert ledger.read().is_balanced


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("number", "whole"), [(450, {"metric", "error", "failed"}), (650, {"failed"})], ids=["a little", "much too much"]
)
def test_the_cap_is_kept_and_what_matters_least_goes_first(number: int, whole: set[str], tmp_path: Path) -> None:
    """Plain steps before metrics, metrics before errors, and what belongs to a failed workflow last of all."""
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger, max_bytes=128 * 1024)
    for one in range(number):
        put(spool, ledger, mixed(one))
        assert sum(path.stat().st_size for path in frame_files(tmp_path)) <= 128 * 1024

    left = take_all(spool)

    kept = {
        kind: [trace for one in left for trace in kinds(one)[kind]] for kind in ("plain", "metric", "error", "failed")
    }
    assert {kind for kind, traces in kept.items() if traces == list(range(number))} == whole
    assert len(kept["plain"]) < len(kept["metric"]) <= len(kept["error"]) <= len(kept["failed"])
    reading = ledger.read()
    assert set(reading.dropped) == {"spool_full"}
    assert reading.dropped["spool_full"] + reading.stored == reading.emitted
    assert reading.is_balanced


def mixed(number: int) -> RowBatch:
    noise = os.urandom(100).hex()
    return RowBatch(
        steps=[step(1, trace=number, metadata=noise), root(2, trace=10_000 + number, status="failed")],
        errors=[error(number, trace=number, metadata=noise)],
        snapshots=[snapshot(number, metadata=noise)],
    )


def kinds(one: RowBatch) -> dict[str, list[int]]:
    traces = [int(row.trace_id, 16) for row in one.steps]
    return {
        "plain": [trace for trace in traces if trace < 10_000],
        "failed": [trace - 10_000 for trace in traces if trace >= 10_000],
        "metric": [int(row.event_key, 16) for row in one.snapshots],
        "error": [int(row.event_key, 16) for row in one.errors],
    }


@pytest.mark.fault(16)
def test_a_full_disk_that_leaves_no_room_to_thin_costs_the_new_batch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ledger = Ledger()
    spool = spool_in(tmp_path, ledger, max_bytes=128 * 1024)
    monkeypatch.setattr(SpoolFolder, "replace", no_room)
    spooled: list[RowBatch] = []

    with suppress(SpoolUnusableError):
        for batch_of_all in map(mixed, range(1000)):
            put(spool, ledger, batch_of_all)
            spooled.append(batch_of_all)
    ledger.drop(len(mixed(0)), "spool_refused")

    assert "No space left" in str(spool.problem)
    assert dict(ledger.read().dropped) == {"spool_refused": len(mixed(0))}
    left = take_all(spool)
    assert left == spooled
    assert ledger.read().is_balanced

    monkeypatch.undo()
    put(spool, ledger, mixed(len(spooled)))
    assert spool.problem is None


def test_a_frame_on_its_way_to_the_store_is_not_thinned(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger, max_bytes=128 * 1024)
    put(spool, ledger, mixed(0))
    replay = spool.next()
    assert replay is not None

    for number in range(1, 400):
        put(spool, ledger, mixed(number))
    spool.settle(replay, WriteResult(stored=len(replay.batch)), remaining=RowBatch())
    spool.done(replay)
    take_all(spool)

    assert ledger.read().spooled == 0
    assert ledger.read().is_balanced


@pytest.mark.fault(16)
def test_a_batch_larger_than_the_cap_is_refused(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, max_bytes=65_536)

    with pytest.raises(SpoolUnusableError, match="no room"):
        spool.append(RowBatch(steps=[step(1, metadata=os.urandom(100_000).hex())]))

    assert "no room" in str(spool.problem)


@pytest.mark.fault(16)
def test_a_folder_that_vanishes_is_made_again_and_what_was_in_it_is_counted(tmp_path: Path) -> None:
    import shutil

    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1))
    shutil.rmtree(tmp_path / "shop")

    put(spool, ledger, batch(2))

    assert take_all(spool) == [batch(2)]
    assert dict(ledger.read().dropped) == {"spool_lost": 5}
    assert ledger.read().is_balanced


@pytest.mark.fault(16)
def test_a_disk_that_is_full_in_the_middle_of_a_frame_leaves_the_frames_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1))
    write = os.write

    def write_half(fd: int, data: bytes) -> int:
        if len(data) < 50:
            raise OSError(28, "No space left on device")
        return write(fd, bytes(data)[: len(data) // 2])

    monkeypatch.setattr(os, "write", write_half)
    with pytest.raises(SpoolUnusableError, match="No space left"):
        spool.append(batch(2))
    monkeypatch.setattr(os, "write", write)
    put(spool, ledger, batch(3))

    assert spool.problem is None
    assert take_all(spool) == [batch(1), batch(3)]
    assert ledger.read().damaged_frames == 0


def test_a_frame_of_a_newer_version_is_left_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = Ledger()
    dead = spool_in(tmp_path, newer)
    monkeypatch.setattr("e2edebug_exporters.spool.row_payload.FORMAT", 2)
    put(dead, newer, batch(1))
    monkeypatch.undo()
    dead.close()
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)

    assert spool.adopt()
    assert take_all(spool) == []
    assert not spool.adopt()
    assert "newer version" in str(spool.problem)
    put(spool, ledger, batch(2))
    assert not spool.is_refusing
    assert take_all(spool) == [batch(2)]
    spool.close()

    assert len(frame_files(tmp_path)) == 1
    assert ledger.read().damaged_frames == 0


def test_a_batch_of_which_a_part_was_stored_comes_again_without_it(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    put(spool, ledger, batch(1))
    replay = spool.next()
    assert replay is not None
    rest = RowBatch(steps=batch(1).steps[1:])

    spool.settle(replay, WriteResult(stored=3), remaining=rest)

    assert take_all(spool) == [rest]
    assert (ledger.read().stored, ledger.read().spooled) == (5, 0)


def test_a_batch_written_before_it_is_sent_is_replayed_only_if_it_is_let_go(tmp_path: Path) -> None:
    ledger = Ledger()
    spool = spool_in(tmp_path, ledger)
    for number in (1, 2):
        ledger.emit(5)
        ticket = spool.append_in_hand(batch(number))
        ledger.spool(5)
        assert spool.next() is None
        if number == 1:
            spool.settle(ticket, WriteResult(stored=5), remaining=RowBatch())
            spool.done(ticket)
    assert len(frame_files(tmp_path)) == 1

    spool.let_go(ticket)

    assert take_all(spool) == [batch(2)]
    assert frame_files(tmp_path) == []
    assert ledger.read().is_balanced
