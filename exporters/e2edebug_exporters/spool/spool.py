"""What a process has on disk: it appends frames while the store is away, and takes the oldest back when it answers.

A process keeps the lock on its own files for as long as it lives, so nobody else replays them. What processes that ended
left behind is adopted by whoever comes next. A file is deleted when all of it is accounted for; a process that is killed
before that has some of it replayed once more, which stores nothing twice, because rows have unique keys.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from e2edebug_exporters.ledger import Ledger, WriteResult
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.claims import Claims
from e2edebug_exporters.spool.folder import SegmentName, SpoolFolder, SpoolUnusableError
from e2edebug_exporters.spool.frames import Damage, Frame, encode_frame, read_frames
from e2edebug_exporters.spool.row_payload import (
    NewerPayloadError,
    UnreadablePayloadError,
    decode_batch,
    encode_batch,
)
from e2edebug_exporters.spool.segment import Replay, Segment
from e2edebug_exporters.spool.thinning import EVERYTHING, thinned
from e2edebug_schema.revision import newest_revision

SPOOL_FULL: Final = "spool_full"
SPOOL_DAMAGED: Final = "spool_damaged"
SPOOL_LOST: Final = "spool_lost"
"""Somebody deleted the file."""

_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_LEAST_SEGMENT_BYTES: Final = 64 * 1024
_COUNT_EVERY: Final = 16
"""Frames between two looks at how much other processes have on disk; a look costs a call for each file."""

logger = logging.getLogger("e2edebug.spool")


class Spool:
    """Used by one thread at a time.

    open_folder: gives the folder, makes it if it is told so, or returns None where there is none. It is called when the
    folder is first needed, and may raise SpoolUnusableError.
    """

    def __init__(self, open_folder: Callable[[bool], SpoolFolder | None], *, max_bytes: int, ledger: Ledger) -> None:
        self._open_folder = open_folder
        self._max_bytes = max_bytes
        self._segment_bytes = max(_LEAST_SEGMENT_BYTES, min(_SEGMENT_BYTES, max_bytes // 8))
        self._ledger = ledger
        self._refusal: str | None = None
        self._replay_problem: str | None = None
        self.failures = 0
        """How many batches it could not take."""
        self.last_number = 0
        """How many frames it has taken."""
        self._begin()

    def _begin(self) -> None:
        self._folder: SpoolFolder | None = None
        self._claims = Claims()
        self._segments: list[Segment] = []
        """Closed files, oldest first."""
        self._active: Segment | None = None
        self._active_fd = -1
        self._others_bytes = 0
        self._is_counted = False
        self._newest_ns = 0
        self._set_aside: set[SegmentName] = set()
        self._reading: tuple[Segment, Iterator[Frame | Damage]] | None = None
        self._current: Replay | None = None
        self._in_hand: Segment | None = None
        """A file whose only frame is on its way to the store from memory."""

    @property
    def is_refusing(self) -> bool:
        """Whether it did not take the last batch that it was given."""
        return self._refusal is not None

    @property
    def problem(self) -> str | None:
        """Why it takes nothing, or cannot replay something; None where all is well."""
        return self._refusal or self._replay_problem

    @property
    def path(self) -> str | None:
        """The folder, once it was opened."""
        return None if self._folder is None else str(self._folder.path)

    @property
    def size_bytes(self) -> int:
        """What this process has on disk and has adopted."""
        return sum(one.size_bytes - one.position for one in self._all())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to replay, as far as this process knows."""
        return self._active is None and not self._segments

    @property
    def has_own(self) -> bool:
        """Whether rows of this process wait."""
        return any(one.is_own for one in self._all())

    def stats(self) -> dict[str, object]:
        """Return its state as a plain dict."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "files": len(self._all()),
            "refused": self.failures,
            "problem": self.problem,
        }

    def is_replayed_up_to(self, number: int) -> bool:
        """Whether the frames that were written up to *number* are accounted for."""
        return all(one.first_number > number for one in self._all() if one.is_own)

    def _all(self) -> list[Segment]:
        return [*self._segments, *(one for one in (self._active, self._in_hand) if one is not None)]

    # Writing.

    def append(self, batch: RowBatch) -> None:
        """Put *batch* on disk; it is there when this returns. Raises SpoolUnusableError, and then nothing of it is."""
        frame = encode_frame(encode_batch(batch, schema_revision=newest_revision()), rows=len(batch))
        try:
            self._append(frame, len(batch))
        except (OSError, SpoolUnusableError) as error:
            self.failures += 1
            self._refusal = str(error)
            raise SpoolUnusableError(self._refusal) from error
        self._refusal = None

    def append_in_hand(self, batch: RowBatch) -> Replay:
        """Put *batch* on disk in a file of its own, which is not replayed before `let_go`. Raises as `append` does."""
        assert self._in_hand is None
        self.seal()
        self.append(batch)
        segment = self._close_active() if self._active is not None else self._segments.pop()
        self._in_hand = segment
        return Replay(batch, segment, segment.size_bytes)

    def let_go(self, replay: Replay) -> None:
        """What is left of *replay*, which came from `append_in_hand`, is to be replayed like any other frame."""
        replay.segment.pending = replay.batch
        self._in_hand = None
        self._segments.append(replay.segment)
        self._segments.sort(key=lambda one: one.name)

    def _append(self, frame: bytes, rows: int) -> None:
        self._forget_deleted_file()
        self._make_room(len(frame))
        if self._active is None:
            self._open_active()
        active = self._active
        assert active is not None  # it has just been made
        try:
            _write_whole(self._active_fd, frame)
        except OSError:
            # A part of the frame may be there. Cut it off; where that fails, too, the reader takes it for damage.
            with suppress(OSError):
                os.ftruncate(self._active_fd, active.size_bytes)
            if active.size_bytes == 0:
                self._close_active()
                self._delete(active)
            raise
        active.size_bytes += len(frame)
        active.rows += rows
        self.last_number += 1
        if active.size_bytes >= self._segment_bytes:
            self.seal()

    def _open_active(self) -> None:
        folder = self._usable_folder()
        owner = self._claims.own(folder).owner
        name, self._active_fd = folder.make_segment(owner, after=self._newest_ns)
        self._newest_ns = name.created_unix_ns
        self._active = Segment(name, is_own=True, first_number=self.last_number + 1)
        if not self._is_counted or self._active.first_number % _COUNT_EVERY == 0:
            self._count_others()

    def _usable_folder(self) -> SpoolFolder:
        folder = self._folder_if_there(make=True)
        if folder is None:
            raise SpoolUnusableError("there is no folder for the spool")
        return folder

    def _folder_if_there(self, *, make: bool = False) -> SpoolFolder | None:
        if self._folder is not None and not self._folder.is_there:
            self._claims.forget_with_folder()
            self._folder.close()
            self._folder = None
        if self._folder is None:
            self._folder = self._open_folder(make)
        return self._folder

    def _forget_deleted_file(self) -> None:
        """What is appended to a file that somebody has deleted would be gone without a word."""
        if self._active is not None and os.fstat(self._active_fd).st_nlink == 0:
            active = self._close_active()
            self._lose(active, active.rows, SPOOL_LOST)

    def seal(self) -> None:
        """Close the file that is being written: it can be replayed now."""
        if self._active is not None:
            self._segments.append(self._close_active())

    def _close_active(self) -> Segment:
        active, self._active = self._active, None
        assert active is not None  # callers looked
        fd, self._active_fd = self._active_fd, -1
        os.close(fd)
        return active

    # Its bounds.

    def _count_others(self) -> None:
        """Files of other processes count as well: the cap is the folder's."""
        if self._folder is not None:
            self._is_counted = True
            known = {one.name for one in self._all()}
            self._others_bytes = sum(size for name, size in self._folder.segments() if name not in known)

    def _make_room(self, needed: int) -> None:
        if self._is_room_for(needed):
            return
        self._count_others()
        if self._is_room_for(needed):
            return
        self.adopt()
        while not self._is_room_for(needed):
            self.seal()
            # The least important rows of all files go before the next important ones of any.
            at_work = None if self._current is None else self._current.segment
            candidates = (one for one in self._segments if one is not at_work and one.pending is None)
            victim = min(candidates, key=lambda one: one.level, default=None)
            if victim is None:
                raise SpoolUnusableError(f"{self.path or 'the spool'} has no room for {needed} bytes more")
            self._thin(victim)

    def _is_room_for(self, needed: int) -> bool:
        return sum(one.size_bytes for one in self._all()) + self._others_bytes + needed <= self._max_bytes

    def _thin(self, segment: Segment) -> None:
        """Raises OSError where the disk has no room for what is left of *segment*, which then stays as it is."""
        assert self._folder is not None  # a segment lies in it
        level = segment.level + 1
        kept, lost = b"", segment.rows
        if level < EVERYTHING:
            try:
                data = self._folder.read(segment.name)[segment.position :]
            except OSError:  # it cannot be read for a replay either
                data = b""
            kept, rows, lost = thinned(data, level)
            if kept:
                self._folder.replace(segment.name, kept)
            if segment.is_own:
                lost = segment.rows - rows
        segment.level = level
        if self._reading is not None and self._reading[0] is segment:
            self._reading = None
        if not kept:
            self._lose(segment, segment.rows if segment.is_own else lost, SPOOL_FULL)
            self._drop_segment(segment)
            return
        self._lose(segment, lost, SPOOL_FULL)
        segment.size_bytes, segment.position = len(kept), 0

    def _lose(self, segment: Segment, rows: int, reason: str) -> None:
        if segment.is_own:
            rows = min(rows, segment.rows)
            segment.rows -= rows
            self._ledger.drop_spooled(rows, reason)
        else:
            self._ledger.drop_adopted(rows)

    # Replaying.

    def adopt(self) -> bool:
        """Take over what ended processes left. Returns whether anything waits here now. Never raises."""
        try:
            folder = self._folder_if_there()
            if folder is not None:
                for name, size in self._claims.adopt(folder):
                    self._segments.append(Segment(name, is_own=False, size_bytes=size))
        except (OSError, SpoolUnusableError) as error:
            self._replay_problem = str(error)
        self._segments.sort(key=lambda one: one.name)
        return not self.is_empty

    def next(self) -> Replay | None:
        """Return the oldest frame that waits, the same until it is `done`; None when nothing does.

        Damage is counted on the way. Never raises.
        """
        if self._current is not None:
            return self._current
        while (segment := self._oldest()) is not None:
            if segment.pending is not None:
                self._current = Replay(segment.pending, segment, segment.size_bytes)
                return self._current
            if self._reading is None or self._reading[0] is not segment:
                self._reading = (segment, self._frames(segment))
            found = next(self._reading[1], None)
            if found is None:
                self._finish(segment)
            elif isinstance(found, Damage):
                self._count_damage(segment, found.rows)
                segment.position = found.end
            else:
                try:
                    self._current = Replay(decode_batch(found.payload).batch, segment, found.end)
                    return self._current
                except UnreadablePayloadError:
                    self._count_damage(segment, found.rows)
                    segment.position = found.end
                except NewerPayloadError as error:
                    self._replay_problem = f"{segment.name} was written by a newer version: {error}"
                    self._leave(segment)
        return None

    def _oldest(self) -> Segment | None:
        if self._active is not None and (not self._segments or self._active.name < self._segments[0].name):
            self.seal()
            self._segments.sort(key=lambda one: one.name)
        return self._segments[0] if self._segments else None

    def _frames(self, segment: Segment) -> Iterator[Frame | Damage]:
        assert self._folder is not None  # a segment lies in it
        try:
            return read_frames(self._folder.read(segment.name), segment.position)
        except OSError as error:
            self._replay_problem = f"{segment.name}: {error.strerror}"
            self._lose(segment, segment.rows, SPOOL_LOST)
            return iter(())

    def _count_damage(self, segment: Segment, rows: int | None) -> None:
        self._ledger.damage_frame()
        if rows is not None or not segment.is_own:
            self._lose(segment, rows or 0, SPOOL_DAMAGED)
        logger.warning("a damaged frame in %s was skipped", segment.name)

    def settle(self, replay: Replay, result: WriteResult, *, remaining: RowBatch) -> None:
        """Book what became of rows of *replay*, which stay on disk until the whole of it is `done`."""
        replay.batch = remaining
        if replay.segment.is_own:
            replay.segment.rows -= result.settled
            self._ledger.settle_spooled(result)
        else:
            self._ledger.settle_adopted(result)

    def done(self, replay: Replay) -> None:
        """All rows of *replay* are accounted for."""
        segment = replay.segment
        if segment is self._in_hand:
            self._in_hand = None
        else:
            self._current = None
        segment.position = replay.end
        if segment.position >= segment.size_bytes:
            self._finish(segment)

    def _finish(self, segment: Segment) -> None:
        if segment.is_own and segment.rows:  # headers were damaged as well: nobody can say otherwise how many are lost
            self._lose(segment, segment.rows, SPOOL_DAMAGED)
        self._drop_segment(segment)

    def _drop_segment(self, segment: Segment) -> None:
        self._delete(segment)
        self._leave(segment)

    def _delete(self, segment: Segment) -> None:
        assert self._folder is not None  # a segment lies in it
        try:
            self._folder.remove(segment.name)
        except OSError as error:
            # It stays, and is replayed by the next process, which finds its rows in the store.
            self._replay_problem = f"{segment.name} cannot be deleted: {error.strerror}"
            self._set_aside.add(segment.name)

    def _leave(self, segment: Segment) -> None:
        if self._reading is not None and self._reading[0] is segment:
            self._reading = None
        if segment in self._segments:
            self._segments.remove(segment)
        owner = segment.name.owner
        waiting = {one.name.owner for one in self._segments}
        if not segment.is_own and owner not in waiting and owner not in self._owners_there():
            # Else something could not be read or deleted: the claim is kept, so that it is not adopted again and again.
            self._claims.finish(owner)

    def _owners_there(self) -> set[str]:
        assert self._folder is not None  # callers looked
        try:
            return {name.owner for name, _ in self._folder.segments()}
        except OSError:
            return set()

    # Forks and ends.

    def after_fork_in_child(self) -> None:
        """Forget everything: files and locks are the parent's, and it keeps them."""
        self._claims.forget_in_child()
        if self._active_fd >= 0:
            os.close(self._active_fd)
        if self._folder is not None:
            self._folder.close()
        self.failures = 0
        self.last_number = 0
        self._refusal = self._replay_problem = None
        self._begin()

    def close(self) -> None:
        """Give everything up that is not replayed: the next process takes it over."""
        if self._active is not None:
            self.seal()
        self._claims.release(left=set() if self._folder is None else self._owners_there())
        if self._folder is not None:
            self._folder.close()
        self._begin()


def _write_whole(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
