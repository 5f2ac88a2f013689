"""What the batch writer asks of a dialect: inserts that tell new rows from old ones, and the upserts that follow."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection

from e2edebug_exporters.rows import ErrorRow, SnapshotRow, StepRow
from e2edebug_exporters.summaries import GroupDelta, Regression, Resolution, SessionDelta

StepKey = tuple[str, str, str]


class PacketTooLargeError(ValueError):
    """One row alone is larger than the server takes."""

    reason = "packet_too_large"


class StoredErrors(NamedTuple):
    """What the store has of some errors. Asked in one statement: each is a wait, and costs what eight spans cost."""

    event_keys: set[str]
    """Those that are there."""
    has_resolved_group: bool
    """Whether somebody has resolved a group that one of them belongs to."""


class WriteStatements(Protocol):
    """Statements on one connection inside the caller's transaction. Rows arrive sorted by their key."""

    def prepare(self, connection: Connection) -> None:
        """Read what the server allows; called for each new connection."""

    def insert_steps(self, connection: Connection, rows: Sequence[StepRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""

    def finish_steps(self, connection: Connection, rows: Sequence[StepRow]) -> int:
        """Complete rows that stand there as started; return how many were, each of them once."""

    def insert_errors(self, connection: Connection, rows: Sequence[ErrorRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""

    def insert_snapshots(self, connection: Connection, rows: Sequence[SnapshotRow]) -> int:
        """Insert the rows that are not there yet and return how many those were."""

    def note_late_snapshots(self, connection: Connection, rows: Sequence[SnapshotRow]) -> None:
        """Put the roll-ups of these rows' hours out of force, where there are any yet."""

    def stored_steps(self, connection: Connection, rows: Sequence[StepRow]) -> Mapping[StepKey, bool]:
        """Return which rows are there already, each with whether it has ended."""

    def stored_errors(self, connection: Connection, rows: Sequence[ErrorRow]) -> StoredErrors:
        """Return which of the rows are there already, at whatever time close by: one exception is one row."""

    def session_values(self, deltas: Sequence[SessionDelta]) -> Sequence[Any]:
        """Return what new steps and errors say to their sessions in the form that `upsert_sessions` takes."""

    def upsert_sessions(self, connection: Connection, values: Sequence[Any]) -> None:
        """Add that to the sessions."""

    def resolutions(self, connection: Connection, deltas: Sequence[GroupDelta]) -> Mapping[tuple[str, int], Resolution]:
        """Return when the resolved ones among these groups were resolved, by fingerprint and its version."""

    def insert_regressions(self, connection: Connection, regressions: Sequence[Regression]) -> None:
        """Note that resolved groups erred again; what is noted already stays."""

    def upsert_groups(self, connection: Connection, deltas: Sequence[GroupDelta]) -> None:
        """Add new occurrences to their error groups."""
