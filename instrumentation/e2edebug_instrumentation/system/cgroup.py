"""The limits of the container, or of the systemd unit, in which this process runs: cgroups version 2 and 1.

A container may use less than its machine has: 400 MB of a limit of 512 MB is a warning, on a machine of 64 GB nothing.
(Linux kernel documentation, "Control Group v2", and "Memory Resource Controller" for version 1.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_NO_LIMIT_V1: Final = 1 << 60
"""Version 1 says 2^63 less a page for "no limit"."""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """In bytes; what the kernel can take back at once, the cache of files that are not in use, is left out."""

    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class CpuUse:
    """Seconds of processor time used so far, by everything in the group, and how many processors it may use."""

    used_s: float
    processors: float


class Cgroup:
    """The groups around this process, innermost first; the limit that is nearest decides."""

    def __init__(self, root: Path = _ROOT, own: Path = _OWN) -> None:
        self._root = root
        self._paths = _own_paths(own)

    def memory(self) -> MemoryUse | None:
        """Return the use of the nearest group with a memory limit, None without one."""
        for folder in self._folders(""):
            limit = _number(folder / "memory.max")
            used = _number(folder / "memory.current") if limit is not None else None
            if limit and used is not None:
                return MemoryUse(used - _of_table(folder / "memory.stat", "inactive_file"), limit)
        for folder in self._folders("memory"):
            limit = _number(folder / "memory.limit_in_bytes")
            used = _number(folder / "memory.usage_in_bytes")
            if limit and used is not None and limit < _NO_LIMIT_V1:
                return MemoryUse(used - _of_table(folder / "memory.stat", "total_inactive_file"), limit)
        return None

    def cpu(self) -> CpuUse | None:
        """Return the use of the nearest group with a limit on processors, None without one."""
        for folder in self._folders(""):
            quota, _, period = _text(folder / "cpu.max").partition(" ")
            if quota.isdigit() and period.isdigit() and int(period):
                used_s = _of_table(folder / "cpu.stat", "usage_usec") / 1e6
                return CpuUse(used_s, int(quota) / int(period))
        for folder in self._folders("cpu"):
            quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
            # Accounting may be mounted by itself, at the same path.
            account = self._root / "cpuacct" / folder.relative_to(self._root / "cpu")
            used_ns = _number(folder / "cpuacct.usage") or _number(account / "cpuacct.usage")
            if quota_us and period_us and quota_us > 0 and used_ns is not None:
                return CpuUse(used_ns / 1e9, quota_us / period_us)
        return None

    def _folders(self, controller: str) -> Iterator[Path]:
        """Yield the folders of the groups around this process. Inside a container the innermost is the root itself."""
        top = self._root / controller if controller else self._root
        own = top / self._paths.get(controller, "").lstrip("/")
        if own.is_dir():
            for folder in (own, *own.parents):
                yield folder
                if folder == top:
                    return
        else:
            yield top


def _own_paths(own: Path) -> dict[str, str]:
    """Read lines such as `0::/system.slice/shop.service` and `4:cpu,cpuacct:/docker/…`: controller -> path."""
    paths: dict[str, str] = {}
    for line in _text(own).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number.isdigit() and path.startswith("/") and ".." not in path:
            paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # no such file in this version, or hidden from us
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _of_table(path: Path, key: str) -> int:
    """Return a value of a file of lines such as `inactive_file 4096`, 0 without it."""
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.strip().isdigit():
            return int(value)
    return 0
