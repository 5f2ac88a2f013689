"""Where there are two cores, what is measured does not share one with the servers it speaks to."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from benchmarks.harness.cores import core_for_servers, core_for_the_measured


def _cores_of_a_child() -> set[int]:
    program = "import os; print(*os.sched_getaffinity(0))"
    return set(map(int, subprocess.check_output([sys.executable, "-c", program], text=True).split()))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to a core")
@pytest.mark.parametrize("place", [core_for_servers, core_for_the_measured])
def test_what_is_started_there_stays_there_and_the_harness_does_not(
    place: Callable[[], AbstractContextManager[None]],
) -> None:
    before = os.sched_getaffinity(0)
    with place():
        inside = _cores_of_a_child()

    assert len(inside) == 1 or inside == before
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to a core")
def test_the_servers_and_the_measured_have_a_core_each() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    with core_for_servers():
        servers = _cores_of_a_child()
    with core_for_the_measured():
        measured = _cores_of_a_child()

    assert servers.isdisjoint(measured)
