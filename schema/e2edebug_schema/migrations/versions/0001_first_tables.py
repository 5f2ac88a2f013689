"""The first tables.

Frozen as they were: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
)

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
from e2edebug_schema.table_ddl import (
    TimePartitionedPrimaryKey,
    create_table_statements,
    partitioned_table_options,
    plain_table_options,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

metadata = MetaData()

Table(
    "debugging_workflow_session",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
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
    Column("step_count", Integer, nullable=False, server_default="0"),
    Column("query_count", Integer, nullable=False, server_default="0"),
    Column("error_count", Integer, nullable=False, server_default="0"),
    Column("repeat_count", Integer, nullable=False, server_default="0"),
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
    **plain_table_options(),
)

Table(
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

Table(
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
    **partitioned_table_options("timestamp"),
)

Table(
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
    Column("error_message", short_text(), nullable=False),
    Column("stack_trace", medium_text(), nullable=False),
    Column("fingerprint", fixed_code(32), nullable=False),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
    Column("user_id", name(64)),
    Column("request_path", name(1024)),
    Column("request_method", name(16)),
    Column("user_agent", prose(512)),
    Column("ip_address", name(45)),
    Column("resolved", Boolean, nullable=False, server_default="0"),
    Column("resolution_notes", short_text()),
    Column("resolved_at", utc_time()),
    Column("resolved_by", name(150)),
    Column("service", name(100), nullable=False, server_default=""),
    Column("service_release", name(64)),
    Column("metadata", long_text(), nullable=False),
    TimePartitionedPrimaryKey("id", partition_column="timestamp"),
    UniqueConstraint("event_key", "timestamp", name="uq_error_event"),
    Index("ix_error_correlation", "correlation_id"),
    Index("ix_error_fingerprint_time", "fingerprint", "timestamp"),
    Index("ix_error_time", "timestamp"),
    **partitioned_table_options("timestamp"),
)

Table(
    "debugging_error_group",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
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
    Column("resolution_notes", short_text()),
    UniqueConstraint("fingerprint", "fingerprint_version", name="uq_group_fingerprint"),
    Index("ix_group_status_seen", "status", "last_seen"),
    Index("ix_group_seen", "last_seen"),
    **plain_table_options(),
)

Table(
    "debugging_configuration",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("name", name(100), nullable=False),
    Column("config_type", name(50), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default="1"),
    Column("config_data", long_text()),
    Column("description", short_text()),
    Column("created_at", utc_time(), nullable=False),
    Column("updated_at", utc_time(), nullable=False),
    UniqueConstraint("name", name="uq_configuration_name"),
    **plain_table_options(),
)

Table(
    "debugging_performance_threshold",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
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

Table(
    "debugging_alert",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
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
    Column("recommendation", short_text()),
    Index("ix_alert_state_seen", "state", "last_seen_at"),
    Index("ix_alert_target", "layer", "metric_name", "component", "started_at"),
    **plain_table_options(),
)


def upgrade() -> None:
    """Create what is missing; MySQL commits after each table, so an interrupted run is simply run again."""
    for table in metadata.tables.values():
        for statement in create_table_statements(table, op.get_context().dialect):
            op.execute(statement)


def downgrade() -> None:
    """Not offered: going back would drop what the store has recorded."""
    raise NotImplementedError("e2edebug migrates forward only; drop the debugging_* tables by hand to start afresh")
