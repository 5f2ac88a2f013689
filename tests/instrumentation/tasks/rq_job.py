"""Jobs that a work horse of RQ can import."""

import e2edebug.auto  # noqa: F401 # what a project adds


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    raise ValueError("the mail server is away")
