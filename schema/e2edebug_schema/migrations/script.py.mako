"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Only add, and let every step be run again: MySQL commits after each one."""
    ${upgrades if upgrades else "op.execute('')"}


def downgrade() -> None:
    """Not offered: going back would drop what the store has recorded."""
    raise NotImplementedError("e2edebug migrates forward only")
