"""Errors and their groups say what kind of error they are."""

from alembic import op
from sqlalchemy import Column

from e2edebug_schema.added_columns import add_column
from e2edebug_schema.column_types import code

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one column to each; rows from before have ''. A column at the end is added in an instant, whatever the size."""
    for table in ("debugging_error_log", "debugging_error_group"):
        add_column(op, table, Column("error_class", code(32), nullable=False, server_default=""))


def downgrade() -> None:
    """Not offered, as for the first revision."""
    raise NotImplementedError("e2edebug migrates forward only")
