"""Whether the store answers: a real query, because a Galera node in a minority accepts connections and pings."""

import sqlalchemy as sa
from sqlalchemy import Engine

from e2edebug_schema.tables import workflow_session


def require_answer(engine: Engine) -> None:
    """Return once the store has answered a query on its tables. Raises what the driver raises when it does not."""
    with engine.connect() as connection:
        connection.execute(sa.select(workflow_session.c.id).limit(1)).first()
