"""A file of frames as the process sees it that may replay it, and one of its frames on the way to the store."""

from dataclasses import dataclass

from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.spool.folder import SegmentName


@dataclass(slots=True, eq=False)
class Segment:
    """One file that this process may replay: its own, or one that it has adopted."""

    name: SegmentName
    is_own: bool
    size_bytes: int = 0
    rows: int = 0
    """Rows of ours in it that the books still call spooled."""
    level: int = 0
    """How far it was thinned."""
    first_number: int = 0
    """Of its frames, as this process counts those that it writes."""
    pending: RowBatch | None = None
    """What is left of its only frame, where a part is accounted for already."""
    position: int = 0
    """Where the first frame begins that is not accounted for."""


@dataclass(slots=True, eq=False)
class Replay:
    """A frame on its way to the store."""

    batch: RowBatch
    """What of it is not accounted for yet."""
    segment: Segment
    end: int

    @property
    def is_own(self) -> bool:
        """Whether this process wrote it."""
        return self.segment.is_own
