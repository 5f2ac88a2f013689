"""The rows that OpenTelemetry objects become: tuples of what columns hold, ready to be written.

Times are text, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC: it is what both dialects take, and formatting it once from
nanoseconds costs a third of a datetime object (reference measurements, section 1b). None is NULL.
Every text has passed the sanitiser and the redaction; no row holds anything that a column would refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple


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


class SharedColumns(NamedTuple):
    """What a step has in common with all steps like it, of which an application has some hundred kinds.

    One object for many rows: it is made, looked at by the garbage collector, and written out once for all of them.
    """

    layer: str
    component: str
    operation: str
    kind: str
    service: str
    status: str
    status_message: str
    statement: str | None
    statement_digest: str | None
    code_location: str | None


class StepRow(NamedTuple):
    """One span: the columns of debugging_trace_step that are its own, and those that it shares with others."""

    correlation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    shared: SharedColumns
    start_time: str
    end_time: str | None
    duration_ms: float | None
    metadata: str
    session_facts: SessionFacts | None = None
    """Not a column."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "StepRow":
        """Return the row with these values by name: of each column, and maybe of `session_facts`."""
        own = {name: values[name] for name in values if name not in _SHARED}
        return cls(shared=SharedColumns(**{name: values[name] for name in SharedColumns._fields}), **own)

    @property
    def key(self) -> tuple[str, str, str]:
        """The unique key, and the order in which rows are locked."""
        return (self.trace_id, self.span_id, self.start_time)

    @property
    def values(self) -> tuple[str | float | None, ...]:
        """The values of all columns, in the order of STEP_COLUMNS."""
        return self[:4] + self.shared + self[5:9]

    @property
    def columns(self) -> dict[str, str | float | None]:
        """The values of all columns by name."""
        return dict(zip(STEP_COLUMNS, self.values, strict=True))

    @property
    def layer(self) -> str:
        """Where it happened, one of e2edebug_schema.tables.LAYERS."""
        return self.shared.layer

    @property
    def component(self) -> str:
        """What did it: a view, a table, a host."""
        return self.shared.component

    @property
    def operation(self) -> str:
        """What was done."""
        return self.shared.operation

    @property
    def kind(self) -> str:
        """The kind of the span: `server`, `client`, `internal`, `producer`, `consumer`."""
        return self.shared.kind

    @property
    def service(self) -> str:
        """Which process it ran in."""
        return self.shared.service

    @property
    def status(self) -> str:
        """One of e2edebug_schema.tables.STEP_STATUSES."""
        return self.shared.status

    @property
    def status_message(self) -> str:
        """Why it failed, '' for nothing."""
        return self.shared.status_message

    @property
    def statement(self) -> str | None:
        """The SQL without its values."""
        return self.shared.statement

    @property
    def statement_digest(self) -> str | None:
        """What equal statements have in common."""
        return self.shared.statement_digest

    @property
    def code_location(self) -> str | None:
        """The line of code that it comes from."""
        return self.shared.code_location


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


_SHARED: Final = frozenset(SharedColumns._fields)
STEP_COLUMNS = (*StepRow._fields[:4], *SharedColumns._fields, *StepRow._fields[5:9])
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
