"""What one request may hold, so that nobody can make it cost more than it is worth.

The numbers of attributes, events and links are OpenTelemetry's own defaults (SDK specification, "Span Limits"): what is
beyond them is left out and counted, as the sender's SDK would do.
"""

from dataclasses import dataclass
from typing import Final

from e2edebug.ingest.refusal import BadItem

MOST_ATTRIBUTES: Final = 128
MOST_EVENTS: Final = 128
MOST_LINKS: Final = 128
DEEPEST_VALUE: Final = 32
LARGEST_ITEM_BYTES: Final = 262_144
_NODE_BYTES: Final = 32
"""What a value without any text counts for: about what it takes in memory, and more than it takes on the wire."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request."""

    max_bytes: int
    """Of the body, before and after it is decompressed."""
    max_items: int


class Budget:
    """How large one span may yet become."""

    def __init__(self) -> None:
        self._left_bytes = LARGEST_ITEM_BYTES

    def spend(self, size: int = 0) -> None:
        """Count a value of *size* bytes or characters. Raises BadItem when it is one too many."""
        self._left_bytes -= size + _NODE_BYTES
        if self._left_bytes < 0:
            raise BadItem(f"larger than {LARGEST_ITEM_BYTES} bytes")

    def check_depth(self, depth: int) -> None:
        """Raise BadItem when a value lies deeper in others than we follow."""
        if depth > DEEPEST_VALUE:
            raise BadItem(f"a value nested deeper than {DEEPEST_VALUE}")
