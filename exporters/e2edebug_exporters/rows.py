"""The rows that OpenTelemetry objects become: tuples in column order, ready to be written.

Times are text, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC: it is what both dialects take, and formatting it once from
nanoseconds costs a third of a datetime object (reference measurements, section 1b). None is NULL.
Every text has passed the sanitiser and the redaction; no row holds anything that a column would refuse.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What one span says of its workflow beyond being one of its steps. Roots and workflow spans have it."""

    is_root: bool
    """No parent or a remote one, or a workflow inside another, which is the root of its own session."""
    status: str | None
    """`completed` or `failed` of an ended root or an explicit workflow span, `in_progress` of one that has just begun;
    None says nothing."""
    is_explicit: bool
    """The status was set by start_workflow(), complete_workflow() or fail_workflow()."""
    workflow_type: str | None = None
    user_id: str | None = None
    user_label: str | None = None
    session_key: str | None = None
    parent_correlation_id: str | None = None
    root_operation: str | None = None
    service_release: str | None = None
    metadata: str | None = None
    """JSON object, or None."""
    is_type_told: bool = False
    """The workflow type comes from the application, not from a rule on method and route."""


class StepRow(NamedTuple):
    """One span. The columns of debugging_trace_step in order, then what is not a column."""

    correlation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    layer: str
    component: str
    operation: str
    kind: str
    service: str
    start_time: str
    end_time: str | None
    duration_ms: float | None
    status: str
    status_message: str
    statement: str | None
    statement_digest: str | None
    code_location: str | None
    metadata: str
    session_facts: SessionFacts | None = None
    """Not a column."""

    @property
    def key(self) -> tuple[str, str, str]:
        """The unique key, and the order in which rows are locked."""
        return (self.trace_id, self.span_id, self.start_time)


class SnapshotRow(NamedTuple):
    """One metric data point. The columns of debugging_performance_snapshot in order."""

    event_key: str
    correlation_id: str | None
    trace_id: str | None
    timestamp: str
    interval_s: float
    service: str
    service_instance: str
    layer: str
    component: str
    metric_name: str
    metric_kind: str
    """`histogram`, `gauge`, `sum` or `point`."""
    metric_value: float | None
    unit: str
    count: int  # type: ignore[assignment] # the column's name hides tuple.count, which nobody calls on a row
    sum: float | None
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    error_count: int
    buckets: str | None
    threshold_warning: float | None
    threshold_critical: float | None
    metadata: str

    @property
    def key(self) -> tuple[str, str]:
        """The unique key."""
        return (self.event_key, self.timestamp)


class ErrorRow(NamedTuple):
    """One exception that happened once, however often it was recorded. The columns of debugging_error_log in order."""

    event_key: str
    correlation_id: str | None
    trace_id: str | None
    span_id: str | None
    timestamp: str
    layer: str
    component: str
    severity: str
    error_type: str
    error_message: str
    stack_trace: str
    fingerprint: str
    fingerprint_version: int
    user_id: str | None
    request_path: str | None
    request_method: str | None
    user_agent: str | None
    ip_address: str | None
    service: str
    service_release: str | None
    metadata: str
    error_class: str
    group_title: str = ""
    """Not a column: what the error's group is called when this row opens it."""

    @property
    def key(self) -> tuple[str, str]:
        """The unique key."""
        return (self.event_key, self.timestamp)


STEP_COLUMNS = StepRow._fields[:-1]
SNAPSHOT_COLUMNS = SnapshotRow._fields
ERROR_COLUMNS = ErrorRow._fields[:-1]


@dataclass(slots=True)
class RowBatch:
    """What one transaction writes. Sessions and error groups follow from the rows that turn out to be new."""

    steps: list[StepRow] = field(default_factory=list)
    errors: list[ErrorRow] = field(default_factory=list)
    snapshots: list[SnapshotRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps) + len(self.errors) + len(self.snapshots)
