"""The index of repeated statements begins with how often they were repeated, instead of with the time.

Frozen as it was: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import Column, Index, Integer, MetaData, Table

from e2edebug_schema.column_types import fixed_code, name, utc_time
from e2edebug_schema.table_ddl import add_index_statements, drop_index_statements

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_session = Table(
    "debugging_workflow_session",
    MetaData(),
    Column("start_time", utc_time()),
    Column("repeat_count", Integer),
    Column("repeat_digest", fixed_code(32)),
    Column("workflow_type", name(100)),
)
INDEX = Index(
    "ix_session_repeat_start",
    _session.c.repeat_count,
    _session.c.start_time,
    _session.c.repeat_digest,
    _session.c.workflow_type,
)


def upgrade() -> None:
    """Create the new one, then drop the old one; run again, it changes nothing."""
    dialect = op.get_context().dialect
    for statement in add_index_statements(INDEX, dialect):
        op.execute(statement)
    for statement in drop_index_statements(_session.name, "ix_session_repeats", dialect):
        op.execute(statement)


def downgrade() -> None:
    """Not offered: older versions of e2edebug work with this index, too."""
    raise NotImplementedError("e2edebug migrates forward only; older versions work with the tables as they are")
