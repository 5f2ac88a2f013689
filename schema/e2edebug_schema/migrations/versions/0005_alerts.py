"""Alerts: what the evaluator remembers, every change with its evidence, messages, maintenance windows and releases.

Frozen as it was: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, UniqueConstraint

from e2edebug_schema.column_types import (
    code,
    fixed_code,
    long_text,
    medium_text,
    name,
    prose,
    row_id,
    short_text,
    utc_time,
)
from e2edebug_schema.table_ddl import create_table_statements, plain_table_options

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

metadata = MetaData()

Table(
    "debugging_alert_target",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("layer", code(16), nullable=False),
    Column("metric_name", name(100), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("alert_id", BigInteger),
    Column("state", code(16), nullable=False, server_default="ok"),
    Column("level", code(16)),
    Column("memory", long_text(), nullable=False),
    Column("told", long_text(), nullable=False),
    Column("updated_at", utc_time(), nullable=False),
    UniqueConstraint("layer", "metric_name", "component", name="uq_alert_target"),
    **plain_table_options(),
)

Table(
    "debugging_alert_event",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("alert_id", BigInteger, nullable=False),
    Column("occurred_at", utc_time(), nullable=False),
    Column("kind", code(16), nullable=False),
    Column("from_state", code(16), nullable=False, server_default=""),
    Column("to_state", code(16), nullable=False, server_default=""),
    Column("level", code(16)),
    Column("value", Double()),
    Column("limit_value", Double()),
    Column("window_s", Integer, nullable=False, server_default="0"),
    Column("samples", BigInteger, nullable=False, server_default="0"),
    Column("correlation_id", code(64)),
    Column("actor", name(150), nullable=False, server_default=""),
    Column("note", short_text()),
    Index("ix_alert_event_alert", "alert_id", "id"),
    Index("ix_alert_event_time", "occurred_at"),
    **plain_table_options(),
)

Table(
    "debugging_notification",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("event_key", fixed_code(32), nullable=False),
    Column("route", name(100), nullable=False),
    Column("kind", code(16), nullable=False),
    Column("status", code(16), nullable=False, server_default="waiting"),
    Column("level", code(16)),
    Column("alert_ids", long_text(), nullable=False),
    Column("subject", prose(255), nullable=False, server_default=""),
    Column("message", medium_text(), nullable=False),
    Column("payload", long_text(), nullable=False),
    Column("created_at", utc_time(), nullable=False),
    Column("next_attempt_at", utc_time(), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("claimed_by", name(150), nullable=False, server_default=""),
    Column("claimed_until", utc_time()),
    Column("sent_at", utc_time()),
    Column("is_possible_repeat", Boolean, nullable=False, server_default="0"),
    Column("last_error", prose(1024), nullable=False, server_default=""),
    UniqueConstraint("event_key", name="uq_notification_event"),
    Index("ix_notification_status_next", "status", "next_attempt_at"),
    Index("ix_notification_route_created", "route", "created_at"),
    **plain_table_options(),
)

Table(
    "debugging_maintenance_window",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("layer", code(16), nullable=False, server_default=""),
    Column("component", name(150), nullable=False, server_default=""),
    Column("starts_at", utc_time(), nullable=False),
    Column("ends_at", utc_time(), nullable=False),
    Column("reason", prose(255), nullable=False, server_default=""),
    Column("created_by", name(150), nullable=False, server_default=""),
    Column("created_at", utc_time(), nullable=False),
    Index("ix_maintenance_window_ends", "ends_at"),
    **plain_table_options(),
)

Table(
    "debugging_threshold_option",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("threshold_id", BigInteger, nullable=False),
    Column("min_samples", Integer),
    Column("no_data_s", Integer, nullable=False, server_default="0"),
    UniqueConstraint("threshold_id", name="uq_threshold_option"),
    **plain_table_options(),
)

Table(
    "debugging_evaluation",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("name", name(100), nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("evaluated_until", utc_time()),
    Column("newest_id", BigInteger, nullable=False, server_default="0"),
    Column("floor_id", BigInteger, nullable=False, server_default="0"),
    Column("floor_until", utc_time()),
    Column("evaluator", name(150), nullable=False, server_default=""),
    UniqueConstraint("name", name="uq_evaluation_name"),
    **plain_table_options(),
)

Table(
    "debugging_release",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("service", name(100), nullable=False, server_default=""),
    Column("service_release", name(64), nullable=False),
    Column("first_seen", utc_time(), nullable=False),
    Column("last_seen", utc_time(), nullable=False),
    UniqueConstraint("service", "service_release", name="uq_release"),
    Index("ix_release_first_seen", "first_seen"),
    **plain_table_options(),
)


def upgrade() -> None:
    """Create what is missing; run again, it changes nothing."""
    for table in metadata.tables.values():
        for statement in create_table_statements(table, op.get_context().dialect):
            op.execute(statement)


def downgrade() -> None:
    """Not offered: going back would drop what the store has recorded."""
    raise NotImplementedError("e2edebug migrates forward only; drop the debugging_* tables by hand to start afresh")
