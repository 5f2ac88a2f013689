"""The site alone, a second time: what differs from the first is noise."""

from typing import Any

TITLE = "The site alone, again (the control)"
WHO = "base"


def configure(settings: dict[str, Any]) -> None:
    """Change nothing."""


def begin() -> None:
    """Begin nothing."""


def flush() -> None:
    """Wait for nothing."""
