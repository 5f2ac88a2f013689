"""Whose files these are: the locks on what this process writes, and on what it has taken over from those that ended."""

from collections.abc import Iterator
from typing import Final

from e2edebug_exporters.spool.folder import Claim, SegmentName, SpoolFolder, SpoolUnusableError, new_owner

_MOST_ADOPTED: Final = 64


class Claims:
    """Held for as long as the process lives, so that nobody else replays what is under them."""

    def __init__(self) -> None:
        self._own: Claim | None = None
        self._adopted: dict[str, Claim] = {}

    def own(self, folder: SpoolFolder) -> Claim:
        """Return the claim on what this process writes. Raises SpoolUnusableError or OSError."""
        for _ in range(3):  # somebody who lists the folder may hold a new lock for a moment
            if self._own is None:
                self._own = folder.claim(new_owner())
            if self._own is not None:
                return self._own
        raise SpoolUnusableError(f"{folder.path}: no lock can be had")

    def adopt(self, folder: SpoolFolder) -> Iterator[tuple[SegmentName, int]]:
        """Take over what ended processes left; yield their files and sizes. Raises OSError."""
        mine = None if self._own is None else self._own.owner
        for owner in sorted(folder.owners()):
            if owner == mine or owner in self._adopted or len(self._adopted) >= _MOST_ADOPTED:
                continue
            claim = folder.claim(owner)
            if claim is None:
                continue
            left = [(name, size) for name, size in folder.segments() if name.owner == owner]
            if not left:
                claim.release(is_finished=True)
                continue
            self._adopted[owner] = claim
            yield from left

    def finish(self, owner: str) -> None:
        """Nothing is left of what was taken over from *owner*."""
        claim = self._adopted.pop(owner, None)
        if claim is not None:
            claim.release(is_finished=True)

    def release(self, left: set[str]) -> None:
        """Give everything up; *left*: under whose names something lies still."""
        for claim in self._all():
            claim.release(is_finished=claim.owner not in left)

    def forget_with_folder(self) -> None:
        """Give everything up: the files of the locks went with their folder."""
        for claim in self._all():
            claim.release(is_finished=False)
        self._own = None
        self._adopted.clear()

    def forget_in_child(self) -> None:
        """Close a forked child's copies; the parent keeps the locks."""
        for claim in self._all():
            claim.forget_in_child()

    def _all(self) -> list[Claim]:
        return [*self._adopted.values(), *([] if self._own is None else [self._own])]
