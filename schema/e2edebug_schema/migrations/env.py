"""Alembic's entry point for its own command line, used while developing a revision (`alembic revision`, `check`).

The product itself migrates by e2edebug_schema.migrate, which waits its turn and never waits for long.
"""

from alembic import context

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.schema_state import VERSION_TABLE
from e2edebug_schema.tables import metadata

url = context.config.get_main_option("sqlalchemy.url")
if url is None:
    raise SystemExit("set sqlalchemy.url in the Alembic configuration to the store's URL")
with create_store_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()
