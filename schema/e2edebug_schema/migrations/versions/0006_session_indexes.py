"""Indexes of the sessions: the repeated statements of a day, and the workflows of a user by name.

Frozen as it was: tables.py goes on changing, a revision that somebody has applied does not.
"""

from alembic import op
from sqlalchemy import Column, Index, Integer, MetaData, Table

from e2edebug_schema.column_types import fixed_code, name, utc_time
from e2edebug_schema.table_ddl import add_index_statements

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_session = Table(
    "debugging_workflow_session",
    MetaData(),
    Column("start_time", utc_time()),
    Column("repeat_count", Integer),
    Column("repeat_digest", fixed_code(32)),
    Column("workflow_type", name(100)),
    Column("user_label", name(150)),
)
INDEXES = (
    Index(
        "ix_session_repeats",
        _session.c.start_time,
        _session.c.repeat_count,
        _session.c.repeat_digest,
        _session.c.workflow_type,
    ),
    Index("ix_session_label_start", _session.c.user_label, _session.c.start_time),
)


def upgrade() -> None:
    """Create what is missing; run again, it changes nothing."""
    for index in INDEXES:
        for statement in add_index_statements(index, op.get_context().dialect):
            op.execute(statement)


def downgrade() -> None:
    """Not offered: older versions of e2edebug work with these indexes, too."""
    raise NotImplementedError("e2edebug migrates forward only; drop the indexes by hand if they are in the way")
