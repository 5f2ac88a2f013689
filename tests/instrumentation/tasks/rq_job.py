"""Jobs that a work horse of RQ can import."""

from pathlib import Path

import e2edebug.auto  # noqa: F401 # what a project adds


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    raise ValueError("the mail server is away")


def flaky() -> None:
    """Fail the first time in each folder."""
    mark = Path("flaky-ran")
    if not mark.exists():
        mark.touch()
        raise ConnectionError("not yet")


def tidy() -> None:
    """Nothing to do."""
