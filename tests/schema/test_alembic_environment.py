"""Alembic's own command line finds the revisions and sees no difference between them and the tables."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from e2edebug_schema.migrate import MIGRATIONS


def test_alembic_finds_nothing_that_a_new_revision_would_have_to_change(engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    url = engine.url.render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    engine.dispose()

    command.check(config)
