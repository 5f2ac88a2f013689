"""Roll-ups: metrics of whole hours, summed up while the snapshots stay, and which hours hold.

Frozen as it was: rollup_tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, MetaData, Table, UniqueConstraint

from e2edebug_schema.column_types import code, long_text, name, row_id, utc_time
from e2edebug_schema.table_ddl import create_table_statements, plain_table_options

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

metadata = MetaData()

Table(
    "debugging_rollup_hour",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("period_start", utc_time(), nullable=False),
    Column("claimed_at", utc_time(), nullable=False),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("summed_version", BigInteger),
    UniqueConstraint("period_start", name="uq_rollup_hour"),
    **plain_table_options(),
)

Table(
    "debugging_performance_rollup",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("period_start", utc_time(), nullable=False),
    Column("service", name(100), nullable=False, server_default=""),
    Column("layer", code(16), nullable=False),
    Column("component", name(150), nullable=False, server_default=""),
    Column("metric_name", name(100), nullable=False),
    Column("unit", name(16), nullable=False, server_default=""),
    Column("count", BigInteger, nullable=False, server_default="0"),
    Column("sum", Double()),
    Column("min", Double()),
    Column("max", Double()),
    Column("error_count", BigInteger, nullable=False, server_default="0"),
    Column("buckets", long_text()),
    Column("correlation_id", code(64)),
    UniqueConstraint("metric_name", "period_start", "layer", "component", "service", "unit", name="uq_rollup_series"),
    **plain_table_options(),
)


def upgrade() -> None:
    """Create what is missing; run again, it changes nothing."""
    for table in metadata.tables.values():
        for statement in create_table_statements(table, op.get_context().dialect):
            op.execute(statement)


def downgrade() -> None:
    """Not offered: older versions of e2edebug work beside these tables, too."""
    raise NotImplementedError("e2edebug migrates forward only; drop the debugging_*rollup* tables by hand")
