"""An empty database is given its tables by whoever writes to it first."""

import logging

from sqlalchemy import Engine

from e2edebug_exporters.error_classes import short_text
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.process_lifecycle import importing
from e2edebug_schema.schema_state import SchemaState

logger = logging.getLogger("e2edebug.delivery")


def make_tables(engine: Engine, ledger: Ledger) -> bool:
    """Create the tables of an empty database; anything else is left to `e2edebug migrate`. Returns whether they are there."""
    with importing():  # Alembic: 0.1 s that only an empty store has to pay
        from e2edebug_schema.migrate import migrate, status
    try:
        found = status(engine)
        # Behind without a revision is a first migration under way in another process, or one that was interrupted.
        is_begun = found.state is SchemaState.BEHIND and found.revision is None
        if found.state is not SchemaState.ABSENT and not is_begun:
            return found.is_usable  # another process has just made them
        migrate(engine)
    except Exception as error:  # noqa: BLE001 # whatever it is, the rows stay and the operator reads it
        ledger.note_error(short_text(error))
        return False
    logger.info("the tables of e2edebug were created in %r", engine.url)
    return True
