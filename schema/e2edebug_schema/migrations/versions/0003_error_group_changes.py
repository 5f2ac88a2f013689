"""What became of each error group; indexes for the statistics of a day and for the newest snapshots.

Frozen as it was: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import Column, Double, Index, Integer, MetaData, SmallInteger, Table, UniqueConstraint

from e2edebug_schema.column_types import code, fixed_code, name, row_id, short_text, utc_time
from e2edebug_schema.table_ddl import add_index_statements, create_table_statements, plain_table_options

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

metadata = MetaData()

Table(
    "debugging_error_group_change",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("fingerprint", fixed_code(32), nullable=False),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
    Column("changed_at", utc_time(), nullable=False),
    Column("old_status", code(16), nullable=False),
    Column("new_status", code(16), nullable=False),
    Column("changed_by", name(150), nullable=False, server_default=""),
    Column("service_release", name(64)),
    Column("notes", short_text()),
    UniqueConstraint("fingerprint", "fingerprint_version", "changed_at", "new_status", name="uq_group_change"),
    **plain_table_options(),
)

_there = MetaData()
"""Tables of earlier revisions, with the columns of the new indexes alone."""
_session = Table(
    "debugging_workflow_session",
    _there,
    Column("start_time", utc_time()),
    Column("workflow_type", name(100)),
    Column("status", code(16)),
    Column("duration_ms", Double()),
    Column("error_count", Integer),
)
_snapshot = Table("debugging_performance_snapshot", _there, Column("timestamp", utc_time()))
INDEXES = (
    Index("ix_session_statistics", *_session.columns),
    Index("ix_snapshot_time", _snapshot.c.timestamp),
)


def upgrade() -> None:
    """Create what is missing; run again, it changes nothing."""
    dialect = op.get_context().dialect
    for table in metadata.tables.values():
        for statement in create_table_statements(table, dialect):
            op.execute(statement)
    for index in INDEXES:
        for statement in add_index_statements(index, dialect):
            op.execute(statement)


def downgrade() -> None:
    """Not offered: going back would drop what the store has recorded."""
    raise NotImplementedError("e2edebug migrates forward only; drop the debugging_* tables by hand to start afresh")
