"""Limits of containers, read from files as the kernel writes them."""

from pathlib import Path

from e2edebug_instrumentation.system.cgroup import Cgroup, CpuUse, MemoryUse


def cgroup(folder: Path, own: str, files: dict[str, str]) -> Cgroup:
    (folder / "own").write_text(own)
    for name, text in files.items():
        path = folder / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(folder / "fs", folder / "own")


def test_a_container_of_version_2_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path,
        "0::/\n",
        {
            "memory.max": "536870912\n",
            "memory.current": "419430400\n",
            "memory.stat": "anon 1\ninactive_file 104857600\nactive_file 5\n",
            "cpu.max": "150000 100000\n",
            "cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        },
    )

    assert group.memory() == MemoryUse(used_bytes=300 * 1024**2, limit_bytes=512 * 1024**2)
    assert group.cpu() == CpuUse(used_s=2.5, processors=1.5)


def test_the_nearest_limit_around_a_systemd_unit_decides(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path,
        "0::/system.slice/shop.service\n",
        {
            "system.slice/shop.service/memory.max": "max\n",
            "system.slice/shop.service/memory.current": "5\n",
            "system.slice/memory.max": "1000\n",
            "system.slice/memory.current": "400\n",
            "system.slice/shop.service/cpu.max": "max 100000\n",
        },
    )

    assert group.memory() == MemoryUse(used_bytes=400, limit_bytes=1000)
    assert group.cpu() is None


def test_version_1_keeps_each_controller_in_a_folder_of_its_own(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path,
        "11:memory:/docker/abc\n5:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
        {
            "memory/docker/abc/memory.limit_in_bytes": "1000\n",
            "memory/docker/abc/memory.usage_in_bytes": "700\n",
            "memory/docker/abc/memory.stat": "cache 5\ntotal_inactive_file 200\n",
            "cpu/docker/abc/cpu.cfs_quota_us": "200000\n",
            "cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            "cpu/docker/abc/cpuacct.usage": "3000000000\n",
        },
    )

    assert group.memory() == MemoryUse(used_bytes=500, limit_bytes=1000)
    assert group.cpu() == CpuUse(used_s=3.0, processors=2.0)


def test_no_limit_in_version_1_is_a_huge_number_or_minus_one(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path,
        "11:memory:/\n5:cpu,cpuacct:/\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "700\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "cpu/cpuacct.usage": "3\n",
        },
    )

    assert (group.memory(), group.cpu()) == (None, None)


def test_a_limit_that_is_set_later_is_found_in_time(tmp_path: Path) -> None:
    group = cgroup(tmp_path, "0::/\n", {"memory.max": "max\n", "memory.current": "400\n"})
    before = group.memory()
    (tmp_path / "fs" / "memory.max").write_text("1000\n")

    later = [group.memory() for _ in range(30)]

    assert (before, later[0], later[-1]) == (None, None, MemoryUse(400, 1000))


def test_a_machine_without_cgroups_has_no_limits(tmp_path: Path) -> None:
    group = Cgroup(tmp_path / "nowhere", tmp_path / "nothing")

    assert (group.memory(), group.cpu()) == (None, None)
