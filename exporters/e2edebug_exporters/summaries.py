"""What new rows add to the tables that are kept as data arrives: sessions and error groups.

Only rows that turned out to be new come here, so that a batch delivered twice counts once.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from e2edebug.policy.release_order import is_later_release
from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.repeated_statements import RepeatCounts, StatementCounts
from e2edebug_exporters.rows import ErrorRow, SessionFacts, StepRow
from e2edebug_exporters.step_places import (
    CORRELATION_ID,
    DURATION_MS,
    END_TIME,
    SERVICE,
    SESSION_FACTS,
    SHARED,
    START_TIME,
    STATEMENT,
    STATEMENT_DIGEST,
    TRACE_ID,
)
from e2edebug_schema.tables import EXPLICIT_STATUS_RANK, OPEN_STATUS_RANK, STATUS_RANKS, text_limits, workflow_session

DEFAULT_WORKFLOW_TYPE: Final = "api_call"
_LIMITS: Final = text_limits(workflow_session)
_LONGEST_STEP_NAME: Final = _LIMITS["slowest_step"]
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECONDS_AT: Final = len("2026-09-21 14:13:")
_TIME_LENGTH: Final = len("2026-09-21 14:13:20.123456")
_SHORTER_THAN_ANY: Final = -1.0


@dataclass(slots=True)
class SessionDelta:
    """What one batch adds to one session. The fields are columns of debugging_workflow_session."""

    correlation_id: str
    start_time: str
    workflow_type: str = DEFAULT_WORKFLOW_TYPE
    user_id: str | None = None
    user_label: str | None = None
    session_key: str | None = None
    trace_id: str | None = None
    parent_correlation_id: str | None = None
    root_operation: str = ""
    service: str = ""
    service_release: str | None = None
    end_time: str | None = None
    status: str = "in_progress"
    status_rank: int = 0
    step_count: int = 0
    query_count: int = 0
    error_count: int = 0
    repeat_count: int = 0
    repeat_digest: str | None = None
    repeat_statement: str | None = None
    slowest_step: str | None = None
    slowest_ms: float | None = None
    metadata: str | None = None
    root_start_time: str | None = None
    """Of the root that `root_operation` is of. Not a column."""
    type_rank: tuple[bool, str] | None = None
    """Of `workflow_type`, the lowest wins: not told by the application, start of the step. Not a column."""
    told: tuple[tuple[str, str], ...] = ()
    """What steps say in `metadata`, each with the step's start. Not a column."""

    @property
    def duration_ms(self) -> float | None:
        """Latest end minus earliest start."""
        if self.end_time is None:
            return None
        start, end = self.start_time, self.end_time
        if end[:_SECONDS_AT] == start[:_SECONDS_AT] and len(start) == len(end) == _TIME_LENGTH:  # of one minute
            return (_microseconds(end) - _microseconds(start)) / 1000
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)) / _MILLISECOND

    def add_steps(self, rows: Iterable[StepRow], *, is_finish: bool) -> None:
        """Count new steps, or the ends of some whose starts were counted before."""
        start_time, trace_id, end_time = self.start_time, self.trace_id, self.end_time
        slowest, slowest_ms = None, _SHORTER_THAN_ANY if self.slowest_ms is None else self.slowest_ms
        steps = queries = 0
        for row in rows:
            steps += 1
            start = row[START_TIME]
            if start <= start_time:
                start_time, trace_id = start, row[TRACE_ID]
            facts = row[SESSION_FACTS]
            if facts is not None:
                self._learn(facts, row)
            shared = row[SHARED]
            if not self.service:
                self.service = shared[SERVICE]
            end = row[END_TIME]
            if end is None:
                continue
            if end_time is None or end > end_time:
                end_time = end
            if shared[STATEMENT_DIGEST] is not None or shared[STATEMENT] is not None:
                queries += 1
            duration_ms = row[DURATION_MS]
            if duration_ms is not None and duration_ms > slowest_ms and (facts is None or not facts.is_root):
                slowest, slowest_ms = row, duration_ms
        self.start_time, self.trace_id, self.end_time = start_time, trace_id, end_time
        self.query_count += queries
        if not is_finish:
            self.step_count += steps
        if slowest is not None:
            self.slowest_ms = slowest_ms
            self.slowest_step = f"{slowest.component} {slowest.operation}".strip()[:_LONGEST_STEP_NAME]

    def _learn(self, facts: SessionFacts, row: StepRow) -> None:
        if facts.is_root and (self.root_start_time is None or row.start_time < self.root_start_time):
            self.root_start_time = row.start_time
            self.root_operation = facts.root_operation or ""
            self.service = row.service
        if facts.workflow_type is not None:
            # What the application says goes before a rule; between equals the earliest step, whatever came in first.
            type_rank = (not facts.is_type_told, row.start_time)
            if self.type_rank is None or type_rank < self.type_rank:
                self.workflow_type, self.type_rank = facts.workflow_type, type_rank
        self.user_id = self.user_id or facts.user_id
        self.user_label = self.user_label or facts.user_label
        self.session_key = self.session_key or facts.session_key
        self.parent_correlation_id = self.parent_correlation_id or facts.parent_correlation_id
        self.service_release = self.service_release or facts.service_release
        if facts.metadata is not None:
            self.told += ((row.start_time, facts.metadata),)
            self.metadata = facts.metadata if len(self.told) == 1 else _merged(self.told)
        if facts.status is not None:
            rank = status_rank(facts.status, is_explicit=facts.is_explicit)
            # The same rule as in the upsert: the higher rank wins, between equals `failed`.
            if (rank, facts.status) > (self.status_rank, self.status):
                self.status, self.status_rank = facts.status, rank


def _microseconds(time: str) -> int:
    """Return the microseconds since the minute of a time of that length began."""
    return int(time[_SECONDS_AT : _SECONDS_AT + 2] + time[_SECONDS_AT + 3 :])


def status_rank(status: str, *, is_explicit: bool) -> int:
    """Return how much *status* counts against what a session has already."""
    if not is_explicit:
        return STATUS_RANKS[status]
    return OPEN_STATUS_RANK if status == "in_progress" else EXPLICIT_STATUS_RANK


def _merged(told: Sequence[tuple[str, str]]) -> str:
    """Return one JSON object with the members of all; of members of one name that of the latest step stays."""
    content: dict[str, object] = {}
    for _, text in sorted(told):
        members = json.loads(text)
        if not isinstance(members, dict):  # a value too large for its column is described instead
            return text
        content |= members
    return json.dumps(content, separators=(",", ":"))


@dataclass(slots=True)
class GroupDelta:
    """What one batch adds to one error group. The fields are columns of debugging_error_group."""

    fingerprint: str
    fingerprint_version: int
    title: str
    error_type: str
    layer: str
    component: str
    first_seen: str
    last_seen: str
    first_release: str | None
    last_release: str | None
    error_class: str = ""
    occurrences: int = 0
    status: str = "unresolved"
    """`regressed` where a resolved group errs in a later release; what the store has wins otherwise."""
    seen: set[tuple[str, str | None]] = field(default_factory=set)
    """When it happened in which release. Not a column."""

    @property
    def key(self) -> tuple[str, int]:
        """The unique key."""
        return (self.fingerprint, self.fingerprint_version)

    def add(self, row: ErrorRow) -> None:
        """Count one new error."""
        self.occurrences += 1
        self.seen.add((row.timestamp, row.service_release))
        if row.timestamp < self.first_seen:
            self.first_seen, self.first_release = row.timestamp, row.service_release
        if row.timestamp > self.last_seen:
            self.last_seen, self.last_release = row.timestamp, row.service_release


class Resolution(NamedTuple):
    """When somebody resolved an error group, and the latest release that had its error by then."""

    resolved_at: str
    service_release: str | None


class Regression(NamedTuple):
    """A resolved group erred again. The columns of debugging_error_group_change that the writer fills."""

    fingerprint: str
    fingerprint_version: int
    changed_at: str
    old_status: str
    new_status: str
    service_release: str | None


def regressions(deltas: Sequence[GroupDelta], resolved: Mapping[tuple[str, int], Resolution]) -> list[Regression]:
    """Mark the deltas of *resolved* groups that erred after it in a later release, and return what to note of each.

    An old release that still runs goes on failing as before: that is no regression.
    """
    found = []
    for delta in deltas:
        resolution = resolved.get(delta.key)
        if resolution is None:
            continue
        again = sorted(
            (timestamp, release or "")
            for timestamp, release in delta.seen
            if timestamp > resolution.resolved_at and is_later_release(release, than=resolution.service_release)
        )
        if again:
            delta.status = "regressed"
            found.append(Regression(*delta.key, again[0][0], "resolved", delta.status, again[0][1] or None))
    return found


def session_deltas(
    new: Sequence[StepRow],
    finished: Sequence[StepRow],
    errors: Sequence[ErrorRow],
    counts: StatementCounts,
    repeats: RepeatCounts,
) -> list[SessionDelta]:
    """Return one delta per session, in the order in which sessions are locked.

    new: steps that were inserted; finished: steps whose start was stored before; errors: those inserted. counts: the
    `statement_counts` of new and finished steps.
    """
    deltas: dict[str, SessionDelta] = {}
    for rows, is_finish in ((new, False), (finished, True)):
        # Rows come sorted by trace, so those of a session stand together, or in a few runs.
        for correlation_id, run in groupby(rows, key=_correlation_of):
            give_way()
            of_session = list(run)
            delta = deltas.get(correlation_id)
            if delta is None:
                delta = deltas[correlation_id] = SessionDelta(correlation_id, of_session[0][START_TIME])
            delta.add_steps(of_session, is_finish=is_finish)
    for error in errors:
        if error.correlation_id is not None:
            delta = deltas.get(error.correlation_id)
            if delta is None:  # its steps come later, or were not sampled
                delta = SessionDelta(
                    error.correlation_id, error.timestamp, trace_id=error.trace_id, service=error.service
                )
                deltas[error.correlation_id] = delta
            delta.error_count += 1
    for trace_id, statements in counts.items():
        before = repeats.of_trace(trace_id)
        for digest, count in statements.counts.items():
            total = before.get(digest, 0) + count if before else count
            row = statements.first[digest]
            delta = deltas[row[CORRELATION_ID]]
            if total > delta.repeat_count:
                delta.repeat_count, delta.repeat_digest = total, digest
                delta.repeat_statement = None if row.statement is None else row.statement[: _LIMITS["repeat_statement"]]
    return sorted(deltas.values(), key=_session_of)


_correlation_of: Final = itemgetter(CORRELATION_ID)
_session_of: Final = attrgetter("correlation_id")


def group_deltas(errors: Iterable[ErrorRow]) -> list[GroupDelta]:
    """Return one delta per error group, in the order in which groups are locked."""
    deltas: dict[tuple[str, int], GroupDelta] = {}
    for row in errors:
        key = (row.fingerprint, row.fingerprint_version)
        if key not in deltas:
            deltas[key] = GroupDelta(
                *key,
                title=row.group_title,
                error_type=row.error_type,
                layer=row.layer,
                component=row.component,
                first_seen=row.timestamp,
                last_seen=row.timestamp,
                first_release=row.service_release,
                last_release=row.service_release,
                error_class=row.error_class,
            )
        deltas[key].add(row)
    return sorted(deltas.values(), key=lambda delta: (delta.fingerprint, delta.fingerprint_version))
