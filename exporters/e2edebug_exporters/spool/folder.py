"""One spool folder: private, never through a symbolic link, shared by any number of processes.

A process marks what it writes with a name of its own, `<pid>-<random>`, and holds a lock on `<name>.lock` for as long as
it lives; the kernel gives the lock up when it is killed. Whoever gets that lock may take over what is left under the name.
"""

import errno
import fcntl
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self

ABOUT: Final = "about.json"
_FRAMES: Final = ".frames"
_LOCK: Final = ".lock"
_LONGEST_TEXT: Final = 1_000_000
_NEW: Final = os.O_CREAT | os.O_EXCL
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC


class SpoolUnusableError(Exception):
    """The folder cannot be used; the text says which and why."""


class SegmentName(NamedTuple):
    """A file of frames. Sorts by age."""

    created_unix_ns: int
    owner: str

    def __str__(self) -> str:
        return f"{self.created_unix_ns:020d}.{self.owner}{_FRAMES}"

    @classmethod
    def parse(cls, name: str) -> "SegmentName | None":
        """Return what *name* says, None for any other file."""
        created, _, rest = name.partition(".")
        if not rest.endswith(_FRAMES) or len(created) != 20 or not (created.isascii() and created.isdecimal()):
            return None
        return cls(int(created), rest.removesuffix(_FRAMES))


class SpoolFolder:
    """An open folder. Every file is named relative to it, so that nobody can move another one in between."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def create(cls, root: Path, name: str, about: Mapping[str, str]) -> Self:
        """Open *root*/*name*, made with mode 0700 where it is missing. Raises SpoolUnusableError."""
        path = root / name
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                pass
            folder = cls.open(path)
        except OSError as error:
            raise SpoolUnusableError(f"{path}: {error.strerror or error}") from error
        folder._write_about(about)
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a folder that is there. Raises SpoolUnusableError."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
        except OSError as error:
            told = (
                "it is a symbolic link or no folder" if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.strerror
            )
            raise SpoolUnusableError(f"{path}: {told}") from error
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            os.close(fd)
            raise SpoolUnusableError(f"{path}: it belongs to another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            try:
                os.fchmod(fd, 0o700)
            except OSError as error:
                os.close(fd)
                raise SpoolUnusableError(f"{path}: others may read it, and {error.strerror}") from error
        return cls(path, fd)

    def close(self) -> None:
        """Close it; locks are held by files of their own."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    @property
    def is_there(self) -> bool:
        """Whether the folder is still what its path names."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat(follow_symlinks=False))
        except OSError:
            return False

    def about(self) -> dict[str, str]:
        """Return what the folder is for, as its maker wrote it; empty if that cannot be read."""
        try:
            found = json.loads(self.read_text(ABOUT) or "{}")
        except (OSError, ValueError):
            return {}
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def _write_about(self, about: Mapping[str, str]) -> None:
        try:
            fd = os.open(ABOUT, os.O_WRONLY | _NEW | _SAFE, 0o600, dir_fd=self._fd)
        except OSError:  # it is there, or whoever writes frames will say what is wrong
            return
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(json.dumps(dict(about), indent=1))

    def read_text(self, name: str) -> str | None:
        """Return the beginning of the file *name*, None where there is none. Raises OSError, or ValueError for no text."""
        try:
            fd = os.open(name, os.O_RDONLY | _SAFE, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, encoding="utf-8") as file:
            return file.read(_LONGEST_TEXT)

    def replace_text(self, name: str, text: str) -> None:
        """Put *text* in the place of the file *name*, all or nothing. Raises OSError."""
        self._replace(name, text.encode("utf-8"))

    def segments(self) -> list[tuple[SegmentName, int]]:
        """Return the files of frames and their sizes, oldest first. Raises OSError."""
        found = []
        for name in self._names():
            segment = SegmentName.parse(name)
            if segment is None:
                continue
            try:
                status = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            except FileNotFoundError:  # replayed meanwhile
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((segment, status.st_size))
        return sorted(found)

    def _names(self) -> list[str]:
        return os.listdir(self._fd)  # noqa: PTH208 # pathlib lists by path, and the path may lead elsewhere by now

    def owners(self) -> set[str]:
        """Return every name under which something lies here, if only a lock. Raises OSError."""
        owners = {segment.owner for segment, _ in self.segments()}
        return owners | {name.removesuffix(_LOCK) for name in self._names() if name.endswith(_LOCK)}

    def make_segment(self, owner: str, *, after: int) -> tuple[SegmentName, int]:
        """Return a new file of frames for *owner*, younger than *after*, and its descriptor. Raises OSError."""
        segment = SegmentName(max(time.time_ns(), after + 1), owner)
        flags = os.O_RDWR | os.O_APPEND | _NEW | _SAFE
        return segment, os.open(str(segment), flags, 0o600, dir_fd=self._fd)

    def read(self, segment: SegmentName) -> bytes:
        """Return the whole of *segment*. Raises OSError."""
        with os.fdopen(os.open(str(segment), os.O_RDONLY | _SAFE, dir_fd=self._fd), "rb") as file:
            return file.read()

    def replace(self, segment: SegmentName, data: bytes) -> None:
        """Put *data* in the place of what *segment* holds, all or nothing. Raises OSError."""
        self._replace(str(segment), data)

    def _replace(self, name: str, data: bytes) -> None:
        temporary = f".{os.getpid()}.{secrets.token_hex(8)}.partial"
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | _NEW | _SAFE, 0o600, dir_fd=self._fd), "wb") as file:
                file.write(data)
            os.rename(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError:
            self._remove(temporary)
            raise

    def remove(self, segment: SegmentName) -> None:
        """Delete *segment*, if it is there. Raises OSError otherwise."""
        self._remove(str(segment))

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError:
            pass

    def claim(self, owner: str) -> "Claim | None":
        """Lock what belongs to *owner*; None while somebody else holds it. Raises OSError."""
        name = owner + _LOCK
        fd = os.open(name, os.O_RDWR | os.O_CREAT | _SAFE, 0o600, dir_fd=self._fd)
        try:
            # flock() belongs to the open file, not to the process: a child that inherits it must close it, and with
            # fcntl()'s locks any other descriptor that is closed would give it up.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=self._fd, follow_symlinks=False)):
                raise BlockingIOError  # noqa: TRY301 # who held it before has just finished and deleted it
            os.truncate(fd, 0)
            os.write(fd, str(os.getpid()).encode())
        except (BlockingIOError, FileNotFoundError):
            os.close(fd)
            return None
        except OSError:
            os.close(fd)
            raise
        return Claim(self, owner, fd)

    def holder(self, owner: str) -> int | None:
        """Return the process that holds the lock of *owner*, for people to read; None if nobody does."""
        try:
            fd = os.open(owner + _LOCK, os.O_RDWR | _SAFE, dir_fd=self._fd)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.read(fd, 20)
            return int(told) if told.isdigit() else 0
        except OSError:
            return None
        finally:
            os.close(fd)
        return None


class Claim:
    """The lock on what one process wrote."""

    def __init__(self, folder: SpoolFolder, owner: str, fd: int) -> None:
        self._folder = folder
        self.owner = owner
        self._fd = fd

    def release(self, *, is_finished: bool) -> None:
        """Let go; with *is_finished* nothing is left under the name, and the lock's file goes as well."""
        if self._fd < 0:
            return
        if is_finished:
            try:
                self._folder._remove(self.owner + _LOCK)
            except OSError:  # a stray empty file costs nothing
                pass
        fd, self._fd = self._fd, -1
        os.close(fd)

    def forget_in_child(self) -> None:
        """Close a forked child's copy; the parent keeps the lock."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def new_owner() -> str:
    """Return a name that no other process has."""
    return f"{os.getpid()}-{secrets.token_hex(6)}"


def folders(root: Path) -> Iterator[Path]:
    """Yield the spool folders below *root*, by name."""
    try:
        found = sorted(root.iterdir())
    except OSError:
        return
    yield from (path for path in found if path.is_dir() and not path.is_symlink())
