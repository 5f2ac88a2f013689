"""What new rows add to the tables that are kept as data arrives: sessions and error groups.

Only rows that turned out to be new come here, so that a batch delivered twice counts once.
"""

import json
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final, NamedTuple

from e2edebug.policy.release_order import is_later_release
from e2edebug_exporters.rows import STEP_COLUMNS, ErrorRow, SessionFacts, StepRow
from e2edebug_schema.tables import EXPLICIT_STATUS_RANK, OPEN_STATUS_RANK, STATUS_RANKS, text_limits, workflow_session

DEFAULT_WORKFLOW_TYPE: Final = "api_call"
_LIMITS: Final = text_limits(workflow_session)
_LONGEST_STEP_NAME: Final = _LIMITS["slowest_step"]
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECONDS_AT: Final = len("2026-09-21 14:13:")
_TIME_LENGTH: Final = len("2026-09-21 14:13:20.123456")


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
    told: list[tuple[str, str]] = field(default_factory=list)
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

    def add_step(self, row: StepRow, *, is_finish: bool) -> None:
        """Count one new step, or the end of one whose start was counted before."""
        # Each column is read once: by name, it is a call.
        (
            _, trace_id, _, _, _, component, operation, _, service, start_time, end_time, duration_ms, _, _, statement,
            digest, _, _, facts,
        ) = row  # fmt: skip
        if start_time <= self.start_time:
            self.start_time = start_time
            self.trace_id = trace_id
        if not is_finish:
            self.step_count += 1
        if facts is not None:
            self._learn(facts, row)
        if not self.service:
            self.service = service
        if end_time is None:
            return
        if self.end_time is None or end_time > self.end_time:
            self.end_time = end_time
        if digest is not None or statement is not None:
            self.query_count += 1
        if duration_ms is not None and (self.slowest_ms is None or duration_ms > self.slowest_ms):
            if facts is not None and facts.is_root:
                return
            self.slowest_ms = duration_ms
            self.slowest_step = f"{component} {operation}".strip()[:_LONGEST_STEP_NAME]

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
            self.told.append((row.start_time, facts.metadata))
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


class RepeatCounts:
    """How often this process saw each statement in each trace: what finds an N+1. Bounded; old traces are forgotten."""

    def __init__(self, *, max_traces: int = 2000, max_digests: int = 500) -> None:
        self._max_traces = max_traces
        self._max_digests = max_digests
        self._traces: OrderedDict[str, dict[str, int]] = OrderedDict()

    def after(self, trace_id: str, digest: str, count: int) -> int:
        """Return what the count would be with *count* more."""
        return self._traces.get(trace_id, {}).get(digest, 0) + count

    def add(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Remember what a committed transaction stored."""
        for (trace_id, digest), count in counts.items():
            digests = self._traces.get(trace_id)
            if digests is None:
                digests = self._traces[trace_id] = {}
                if len(self._traces) > self._max_traces:
                    self._traces.popitem(last=False)
            if digest not in digests and len(digests) >= self._max_digests:
                # The least repeated one makes room: the statement that is an N+1 may begin late in a long trace.
                del digests[min(digests, key=digests.__getitem__)]
            digests[digest] = digests.get(digest, 0) + count
            self._traces.move_to_end(trace_id)

    def clear(self) -> None:
        """Forget everything: a forked child counts its own."""
        self._traces.clear()


def statement_counts(rows: Iterable[StepRow]) -> Counter[tuple[str, str]]:
    """Return how often each (trace id, statement digest) stands in *rows*; a statement counts once it has ended."""
    return Counter(
        [
            (trace_id, digest)
            for trace_id, end, digest in map(_of_statement, rows)
            if digest is not None and end is not None
        ]
    )


_of_statement: Final = itemgetter(*map(STEP_COLUMNS.index, ("trace_id", "end_time", "statement_digest")))


def session_deltas(
    new: Sequence[StepRow],
    finished: Sequence[StepRow],
    errors: Sequence[ErrorRow],
    counts: Mapping[tuple[str, str], int],
    repeats: RepeatCounts,
) -> list[SessionDelta]:
    """Return one delta per session, in the order in which sessions are locked.

    new: steps that were inserted; finished: steps whose start was stored before; errors: those inserted. counts: the
    `statement_counts` of new and finished steps.
    """
    deltas: dict[str, SessionDelta] = {}
    digests: dict[tuple[str, str], StepRow] = {}
    for rows, is_finish in ((new, False), (finished, True)):
        for row in rows:
            delta = deltas.get(row.correlation_id)
            if delta is None:
                delta = deltas[row.correlation_id] = SessionDelta(row.correlation_id, row.start_time)
            delta.add_step(row, is_finish=is_finish)
            if row.statement_digest is not None:
                digests.setdefault((row.trace_id, row.statement_digest), row)
    for error in errors:
        if error.correlation_id is not None:
            delta = deltas.get(error.correlation_id)
            if delta is None:  # its steps come later, or were not sampled
                delta = SessionDelta(
                    error.correlation_id, error.timestamp, trace_id=error.trace_id, service=error.service
                )
                deltas[error.correlation_id] = delta
            delta.error_count += 1
    for key, count in counts.items():
        row = digests[key]
        total, delta = repeats.after(*key, count), deltas[row.correlation_id]
        if total > delta.repeat_count:
            delta.repeat_count, delta.repeat_digest = total, key[1]
            delta.repeat_statement = None if row.statement is None else row.statement[: _LIMITS["repeat_statement"]]
    return sorted(deltas.values(), key=lambda delta: delta.correlation_id)


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
