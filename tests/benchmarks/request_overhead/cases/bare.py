"""The site alone."""

from typing import Any


def configure(settings: dict[str, Any]) -> None:
    """Change nothing."""


def begin() -> None:
    """Begin nothing."""


def flush() -> None:
    """Wait for nothing."""
