"""The tables of the store. They are the one source of truth; the migrations lead to exactly these.

Steps, snapshots and errors are partitioned by day on MySQL and MariaDB. There the time column is part of the primary
key, because every unique key of a partitioned table must hold it. README.md says every column in one line.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

from e2edebug_schema import alert_tables as alert_tables  # its tables belong to the same metadata
from e2edebug_schema import rollup_tables as rollup_tables  # likewise
from e2edebug_schema.column_types import (
    code,
    fixed_code,
    long_text,
    medium_text,
    milliseconds,
    name,
    prose,
    row_id,
    short_text,
    utc_time,
)
from e2edebug_schema.table_ddl import TimePartitionedPrimaryKey, partitioned_table_options, plain_table_options
from e2edebug_schema.table_metadata import metadata as metadata

LAYERS: Final = ("frontend", "api", "database", "cache", "external", "system")
SESSION_STATUSES: Final = ("in_progress", "completed", "failed", "timeout")
STEP_STATUSES: Final = ("started", "completed", "failed", "skipped")
SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")
GROUP_STATUSES: Final = ("unresolved", "resolved", "ignored", "regressed")
METRIC_KINDS: Final = ("histogram", "gauge", "sum", "point")

STATUS_RANKS: Final = {"in_progress": 0, "timeout": 1, "completed": 2, "failed": 3}
"""What a workflow is by its spans; a session takes a status only from the same rank or a higher one."""
OPEN_STATUS_RANK: Final = 4
"""A workflow begun with start_workflow() or @workflow is `in_progress` until it is ended, whatever ends within it."""
EXPLICIT_STATUS_RANK: Final = 5
"""complete_workflow() and fail_workflow() win over whatever the spans say."""

ADDED_BY: Final = "added_by"
"""In a column's `info`: the revision that added it, where that is not the one which made its table."""


def _id() -> Column[int]:
    return Column("id", row_id(), primary_key=True, autoincrement=True)


def _counter(column_name: str) -> Column[int]:
    return Column(column_name, Integer, nullable=False, server_default="0")


def _bounded(column_name: str, max_chars: int, *, nullable: bool = True) -> Column[str]:
    """A TEXT column whose length is ours to cut: MySQL counts its limit in bytes."""
    return Column(column_name, short_text(), nullable=nullable, info={"max_chars": max_chars})


workflow_session = Table(
    "debugging_workflow_session",
    metadata,
    _id(),
    Column("correlation_id", code(64), nullable=False),
    Column("workflow_type", name(100), nullable=False, server_default="api_call"),
    Column("user_id", name(64)),
    Column("user_label", name(150)),
    Column("session_key", code(64)),
    Column("trace_id", fixed_code(32)),
    Column("parent_correlation_id", code(64)),
    Column("root_operation", name(255), nullable=False, server_default=""),
    Column("service", name(100), nullable=False, server_default=""),
    Column("service_release", name(64)),
    Column("start_time", utc_time(), nullable=False),
    Column("end_time", utc_time()),
    Column("duration_ms", milliseconds()),
    Column("status", code(16), nullable=False, server_default="in_progress"),
    Column("status_rank", SmallInteger, nullable=False, server_default="0"),
    _counter("step_count"),
    _counter("query_count"),
    _counter("error_count"),
    _counter("repeat_count"),
    Column("repeat_digest", fixed_code(32)),
    Column("repeat_statement", prose(255)),
    Column("slowest_step", name(255)),
    Column("slowest_ms", milliseconds()),
    Column("metadata", long_text()),
    UniqueConstraint("correlation_id", name="uq_session_correlation"),
    Index("ix_session_start", "start_time"),
    Index("ix_session_status_start", "status", "start_time"),
    Index("ix_session_type_start", "workflow_type", "start_time"),
    Index("ix_session_user_start", "user_id", "start_time"),
    # Statistics of a day read this index alone: 72,000 sessions in 0.09 s, against 0.7 s by the rows (MariaDB 10.11). It
    # costs writing 9 % of its rate where each session has ten steps.
    Index("ix_session_statistics", "start_time", "workflow_type", "status", "duration_ms", "error_count"),
    # A session has one user, known by id, by name or by both; without this one, a name that few have reads every row.
    Index("ix_session_label_start", "user_label", "start_time"),
    # The repeated statements of a day: 8,800 entries of this index instead of 72,000 rows, as most sessions repeat none.
    Index("ix_session_repeat_start", "repeat_count", "start_time", "repeat_digest", "workflow_type"),
    **plain_table_options(),
)

# Three keys, not more: four secondary indexes cost 26 % of the insert rate (reference measurements, section 1c).
# The time index carries what percentiles and error counts per component read, so that they never fetch rows.
trace_step = Table(
    "debugging_trace_step",
    metadata,
    Column("id", row_id(), nullable=False, autoincrement=True),
    Column("correlation_id", code(64), nullable=False),
    Column("trace_id", fixed_code(32), nullable=False),
    Column("span_id", fixed_code(16), nullable=False),
    Column("parent_span_id", fixed_code(16)),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("operation", name(255), nullable=False, server_default=""),
    Column("kind", code(16), nullable=False, server_default="internal"),
    Column("service", name(100), nullable=False, server_default=""),
    Column("start_time", utc_time(), nullable=False),
    Column("end_time", utc_time()),
    Column("duration_ms", milliseconds()),
    Column("status", code(16), nullable=False),
    Column("status_message", prose(1024), nullable=False, server_default=""),
    Column("statement", long_text()),
    Column("statement_digest", fixed_code(32)),
    Column("code_location", name(255)),
    Column("metadata", long_text(), nullable=False),
    TimePartitionedPrimaryKey("id", partition_column="start_time"),
    UniqueConstraint("trace_id", "span_id", "start_time", name="uq_step_span"),
    Index("ix_step_correlation", "correlation_id"),
    Index("ix_step_time", "start_time", "layer", "component", "duration_ms", "status"),
    **partitioned_table_options("start_time"),
)

performance_snapshot = Table(
    "debugging_performance_snapshot",
    metadata,
    Column("id", row_id(), nullable=False, autoincrement=True),
    Column("event_key", fixed_code(32), nullable=False),
    Column("correlation_id", code(64)),
    Column("trace_id", fixed_code(32)),
    Column("timestamp", utc_time(), nullable=False),
    Column("interval_s", Double(), nullable=False, server_default="0"),
    Column("service", name(100), nullable=False, server_default=""),
    Column("service_instance", name(64), nullable=False, server_default=""),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("metric_name", name(100), nullable=False),
    Column("metric_kind", code(16), nullable=False, server_default="point"),
    Column("metric_value", Double()),
    Column("unit", name(16), nullable=False, server_default=""),
    Column("count", BigInteger, nullable=False, server_default="1"),
    Column("sum", Double()),
    Column("min", Double()),
    Column("max", Double()),
    Column("p50", Double()),
    Column("p95", Double()),
    Column("p99", Double()),
    Column("error_count", BigInteger, nullable=False, server_default="0"),
    Column("buckets", long_text()),
    Column("threshold_warning", Double()),
    Column("threshold_critical", Double()),
    Column("metadata", long_text(), nullable=False),
    TimePartitionedPrimaryKey("id", partition_column="timestamp"),
    UniqueConstraint("event_key", "timestamp", name="uq_snapshot_event"),
    Index("ix_snapshot_correlation", "correlation_id"),
    Index("ix_snapshot_metric_time", "layer", "metric_name", "timestamp"),
    Index("ix_snapshot_time", "timestamp"),
    **partitioned_table_options("timestamp"),
)

error_log = Table(
    "debugging_error_log",
    metadata,
    Column("id", row_id(), nullable=False, autoincrement=True),
    Column("event_key", fixed_code(32), nullable=False),
    Column("correlation_id", code(64)),
    Column("trace_id", fixed_code(32)),
    Column("span_id", fixed_code(16)),
    Column("timestamp", utc_time(), nullable=False),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("severity", code(16), nullable=False, server_default="error"),
    Column("error_type", name(255), nullable=False),
    _bounded("error_message", 8192, nullable=False),
    Column("stack_trace", medium_text(), nullable=False, info={"max_chars": 262_144}),
    Column("fingerprint", fixed_code(32), nullable=False),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
    Column("user_id", name(64)),
    Column("request_path", name(1024)),
    Column("request_method", name(16)),
    Column("user_agent", prose(512)),
    Column("ip_address", name(45)),
    Column("resolved", Boolean, nullable=False, server_default="0"),
    _bounded("resolution_notes", 8192),
    Column("resolved_at", utc_time()),
    Column("resolved_by", name(150)),
    Column("service", name(100), nullable=False, server_default=""),
    Column("service_release", name(64)),
    Column("metadata", long_text(), nullable=False),
    Column("error_class", code(32), nullable=False, server_default="", info={ADDED_BY: "0004"}),
    TimePartitionedPrimaryKey("id", partition_column="timestamp"),
    UniqueConstraint("event_key", "timestamp", name="uq_error_event"),
    Index("ix_error_correlation", "correlation_id"),
    Index("ix_error_fingerprint_time", "fingerprint", "timestamp"),
    Index("ix_error_time", "timestamp"),
    **partitioned_table_options("timestamp"),
)

error_group = Table(
    "debugging_error_group",
    metadata,
    _id(),
    Column("fingerprint", fixed_code(32), nullable=False),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
    Column("title", prose(255), nullable=False, server_default=""),
    Column("error_type", name(255), nullable=False, server_default=""),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("first_seen", utc_time(), nullable=False),
    Column("last_seen", utc_time(), nullable=False),
    Column("first_release", name(64)),
    Column("last_release", name(64)),
    Column("occurrences", BigInteger, nullable=False, server_default="0"),
    Column("status", code(16), nullable=False, server_default="unresolved"),
    _bounded("resolution_notes", 8192),
    Column("error_class", code(32), nullable=False, server_default="", info={ADDED_BY: "0004"}),
    UniqueConstraint("fingerprint", "fingerprint_version", name="uq_group_fingerprint"),
    Index("ix_group_status_seen", "status", "last_seen"),
    Index("ix_group_seen", "last_seen"),
    **plain_table_options(),
)

error_group_change = Table(
    "debugging_error_group_change",
    metadata,
    _id(),
    Column("fingerprint", fixed_code(32), nullable=False),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
    Column("changed_at", utc_time(), nullable=False),
    Column("old_status", code(16), nullable=False),
    Column("new_status", code(16), nullable=False),
    Column("changed_by", name(150), nullable=False, server_default=""),
    Column("service_release", name(64)),
    _bounded("notes", 8192),
    UniqueConstraint("fingerprint", "fingerprint_version", "changed_at", "new_status", name="uq_group_change"),
    **plain_table_options(),
)

configuration = Table(
    "debugging_configuration",
    metadata,
    _id(),
    Column("name", name(100), nullable=False),
    Column("config_type", name(50), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default="1"),
    Column("config_data", long_text()),
    _bounded("description", 8192),
    Column("created_at", utc_time(), nullable=False),
    Column("updated_at", utc_time(), nullable=False),
    UniqueConstraint("name", name="uq_configuration_name"),
    **plain_table_options(),
)

performance_threshold = Table(
    "debugging_performance_threshold",
    metadata,
    _id(),
    Column("metric_name", name(100), nullable=False),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("warning_threshold", Double(), nullable=False),
    Column("critical_threshold", Double(), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default="1"),
    Column("alert_on_warning", Boolean, nullable=False, server_default="1"),
    Column("alert_on_critical", Boolean, nullable=False, server_default="1"),
    Column("aggregation", code(16), nullable=False, server_default="p95"),
    Column("window_s", Integer, nullable=False, server_default="300"),
    Column("pending_s", Integer, nullable=False, server_default="0"),
    Column("recovery_margin_pct", Double(), nullable=False, server_default="10"),
    Column("created_at", utc_time(), nullable=False),
    Column("updated_at", utc_time(), nullable=False),
    UniqueConstraint("layer", "metric_name", "component", name="uq_threshold_target"),
    **plain_table_options(),
)

alert = Table(
    "debugging_alert",
    metadata,
    _id(),
    Column("threshold_id", BigInteger),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("metric_name", name(100), nullable=False),
    Column("level", code(16), nullable=False),
    Column("state", code(16), nullable=False),
    Column("value", Double()),
    Column("limit_value", Double()),
    Column("started_at", utc_time(), nullable=False),
    Column("last_seen_at", utc_time(), nullable=False),
    Column("resolved_at", utc_time()),
    Column("acknowledged_by", name(150)),
    Column("acknowledged_at", utc_time()),
    Column("snoozed_until", utc_time()),
    Column("correlation_id", code(64)),
    _bounded("recommendation", 8192),
    Index("ix_alert_state_seen", "state", "last_seen_at"),
    Index("ix_alert_target", "layer", "metric_name", "component", "started_at"),
    **plain_table_options(),
)

# Whoever writes its name into the row first does the work that must be done once: retention, alert evaluation. No
# GET_LOCK, which is a lock of one server and not of a Galera cluster.
lease = Table(
    "debugging_lease",
    metadata,
    _id(),
    Column("name", name(100), nullable=False),
    Column("holder", name(150), nullable=False, server_default=""),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("acquired_at", utc_time(), nullable=False),
    Column("renewed_at", utc_time(), nullable=False),
    Column("expires_at", utc_time(), nullable=False),
    UniqueConstraint("name", name="uq_lease_name"),
    **plain_table_options(),
)

PARTITIONED_TABLES: Final = (trace_step, performance_snapshot, error_log)


def text_limits(table: Table) -> dict[str, int]:
    """Return how many characters each text column of *table* takes; a column without a limit of ours is absent."""
    return {column.name: limit for column in table.columns if (limit := _max_chars(column)) is not None}


def partition_column(table: Table) -> str | None:
    """Return the time column by which *table* is partitioned on MySQL and MariaDB, or None."""
    key = table.primary_key
    return key.partition_column if isinstance(key, TimePartitionedPrimaryKey) else None


def _max_chars(column: Column[Any]) -> int | None:
    declared = column.info.get("max_chars")
    if isinstance(declared, int):
        return declared
    return column.type.length if isinstance(column.type, String) else None
