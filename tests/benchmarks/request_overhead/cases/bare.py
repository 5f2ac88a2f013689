"""The site alone."""

from typing import Any

TITLE = "The site alone"
WHO = "base"


def configure(settings: dict[str, Any]) -> None:
    """Change nothing."""


def begin() -> None:
    """Begin nothing."""


def flush() -> None:
    """Wait for nothing."""
