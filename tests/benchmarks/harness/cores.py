"""Processes that are measured run on one core, the servers that they speak to on another.

With both on two cores, a case that stores its spans took two to three times the time for an instruction that a case took
which stores none: what a server writes, most likely, pushes the measured process out of the caches. A database mostly
has a machine of its own, or cores enough.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def core_for_servers() -> Iterator[None]:
    """What is started within this runs on the last core."""
    with _on_core(-1):
        yield


@contextmanager
def core_for_the_measured() -> Iterator[None]:
    """What is started within this runs on the first core."""
    with _on_core(0):
        yield


@contextmanager
def _on_core(place: int) -> Iterator[None]:
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(before) < 2:  # nothing to choose, or not Linux
        yield
        return
    os.sched_setaffinity(0, {sorted(before)[place]})  # children inherit it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
