"""Leases: which process does the work that only one may do at a time.

Frozen as it was: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, UniqueConstraint

from e2edebug_schema.column_types import name, row_id, utc_time
from e2edebug_schema.table_ddl import create_table_statements, plain_table_options

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

metadata = MetaData()

Table(
    "debugging_lease",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("name", name(100), nullable=False),
    Column("holder", name(150), nullable=False, server_default=""),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("acquired_at", utc_time(), nullable=False),
    Column("renewed_at", utc_time(), nullable=False),
    Column("expires_at", utc_time(), nullable=False),
    UniqueConstraint("name", name="uq_lease_name"),
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
