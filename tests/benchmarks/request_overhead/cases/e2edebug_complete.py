"""e2edebug as it comes: every request traced, measured and stored in MariaDB."""

from typing import Any

import e2edebug


def configure(settings: dict[str, Any]) -> None:
    """Nothing has to be set but the environment's database."""


def begin() -> None:
    import e2edebug.auto  # noqa: F401 - the line that a project adds


def flush() -> None:
    if not e2edebug.flush(60):
        raise RuntimeError(f"not all was written: {e2edebug.stats()}")
    dropped = e2edebug.stats()["dropped"]
    if any(dropped.values()):
        raise RuntimeError(f"rows were dropped, so the figures would not count: {dropped}")
