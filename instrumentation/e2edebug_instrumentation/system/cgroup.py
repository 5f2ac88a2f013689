"""The limits of the container, or of the systemd unit, in which this process runs: cgroups version 2 and 1.

A container may use less than its machine has: 400 MB of a limit of 512 MB is a warning, on a machine of 64 GB nothing.
(Linux kernel documentation, "Control Group v2", and "Memory Resource Controller" for version 1.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_ROOT: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_NO_LIMIT_V1: Final = 1 << 60
"""Version 1 says 2^63 less a page for "no limit"."""
_LOOK_AGAIN: Final = 30
"""Limits may be set while the process runs; looking for one in every group is not done at each reading."""


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


class _MemoryFiles(NamedTuple):
    limit: Path
    used: Path
    table: Path
    reclaimable: str
    """Its line in the table."""


class _CpuFiles(NamedTuple):
    quota: Path
    """In version 2 with the period beside it."""
    period: Path | None
    used: Path


class Cgroup:
    """The groups around this process, innermost first; the limit that is nearest decides."""

    def __init__(self, root: Path = _ROOT, own: Path = _OWN) -> None:
        self._root = root
        self._paths = _own_paths(own)
        self._memory: _MemoryFiles | None = None
        self._cpu: _CpuFiles | None = None
        self._readings = 0

    def memory(self) -> MemoryUse | None:
        """Return the use of the nearest group with a memory limit, None without one."""
        if self._readings % _LOOK_AGAIN == 0:
            self._memory = next((one for one in self._memory_files() if _memory_use(one) is not None), None)
            self._cpu = next((one for one in self._cpu_files() if _cpu_use(one) is not None), None)
        self._readings += 1
        return _memory_use(self._memory) if self._memory is not None else None

    def cpu(self) -> CpuUse | None:
        """Return the use of the nearest group with a limit on processors, None without one. Ask for the memory first."""
        return _cpu_use(self._cpu) if self._cpu is not None else None

    def _memory_files(self) -> Iterator[_MemoryFiles]:
        for folder in self._folders(""):
            yield _MemoryFiles(
                folder / "memory.max", folder / "memory.current", folder / "memory.stat", "inactive_file"
            )
        for folder in self._folders("memory"):
            yield _MemoryFiles(
                folder / "memory.limit_in_bytes",
                folder / "memory.usage_in_bytes",
                folder / "memory.stat",
                "total_inactive_file",
            )

    def _cpu_files(self) -> Iterator[_CpuFiles]:
        for folder in self._folders(""):
            yield _CpuFiles(folder / "cpu.max", None, folder / "cpu.stat")
        for folder in self._folders("cpu"):
            # Accounting may be mounted by itself, at the same path.
            below = folder.relative_to(self._root / "cpu")
            for account in (folder, self._root / "cpuacct" / below):
                yield _CpuFiles(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us", account / "cpuacct.usage")

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


def _memory_use(files: _MemoryFiles) -> MemoryUse | None:
    limit, used = _number(files.limit), _number(files.used)
    if not limit or limit >= _NO_LIMIT_V1 or used is None:
        return None
    return MemoryUse(used - _of_table(files.table, files.reclaimable), limit)


def _cpu_use(files: _CpuFiles) -> CpuUse | None:
    if files.period is None:
        quota, _, period = _text(files.quota).partition(" ")
        if not (quota.isdigit() and period.isdigit() and int(period)):
            return None
        return CpuUse(_of_table(files.used, "usage_usec") / 1e6, int(quota) / int(period))
    quota_us, period_us, used_ns = _number(files.quota), _number(files.period), _number(files.used)
    if not quota_us or not period_us or quota_us < 0 or used_ns is None:
        return None
    return CpuUse(used_ns / 1e9, quota_us / period_us)


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
