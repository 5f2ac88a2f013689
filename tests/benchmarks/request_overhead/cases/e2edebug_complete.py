"""e2edebug as it comes: every request traced, measured and stored in MariaDB."""

import time
from typing import Any

import e2edebug

TITLE = "e2edebug, every request traced and stored"
WHO = "ours"


def configure(settings: dict[str, Any]) -> None:
    """Nothing has to be set but the environment's database."""


def begin() -> None:
    import e2edebug.auto  # noqa: F401 - the line that a project adds


def settle() -> None:
    """Wait until the thread that writes has stored every span, as it does by itself each second."""
    deadline = time.monotonic() + 60
    while e2edebug.stats()["queued"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"not all was written: {e2edebug.stats()}")
        time.sleep(0.2)  # each look costs this process some of the time that is measured
    _check_that_nothing_was_dropped()


def flush() -> None:
    if not e2edebug.flush(60):
        raise RuntimeError(f"not all was written: {e2edebug.stats()}")
    _check_that_nothing_was_dropped()


def stand_still() -> None:
    """Ask for the configuration no more: each time, what waits is written as a batch of its own."""
    from e2edebug_exporters import configuration_poll

    configuration_poll.INTERVAL_S = 1e6  # type: ignore[misc] # Final for the product


def _check_that_nothing_was_dropped() -> None:
    dropped = e2edebug.stats()["dropped"]
    if any(dropped.values()):
        raise RuntimeError(f"rows were dropped, so the figures would not count: {dropped}")
