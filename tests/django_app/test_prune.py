"""`manage.py prune` and the Celery task: retention on the store of the project."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from django_app.project import Project

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.tables import workflow_session


@pytest.fixture
def old_session(empty_store_url: str) -> sa.Engine:
    engine = create_store_engine(empty_store_url)
    migrate(engine)
    with engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(days=50)
        connection.execute(workflow_session.insert(), {"correlation_id": "old", "start_time": old})
    return engine


def sessions(engine: sa.Engine) -> int:
    """Return how many old workflows there are; the command and the task are recorded themselves."""
    old = sa.select(sa.func.count()).where(workflow_session.c.correlation_id == "old")
    with engine.connect() as connection:
        return int(connection.execute(old).scalar_one())


def test_the_command_prunes_the_store_of_the_project(
    make_project: Callable[..., Project], old_session: sa.Engine, empty_store_url: str
) -> None:
    project = make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": "{empty_store_url}", "RETENTION_SESSION_DAYS": 40}}')

    dry = project.manage("prune", "--dry-run")
    untouched = sessions(old_session)
    done = project.manage("prune")

    assert "workflow session      would delete 1 rows before " in dry
    assert (untouched, sessions(old_session)) == (1, 0)
    assert "done: 1 step, the store takes " in done


def test_the_commands_output_can_be_captured(
    make_project: Callable[..., Project], old_session: sa.Engine, empty_store_url: str
) -> None:
    project = make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": "{empty_store_url}"}}')

    captured = project.python("""
        import io, json
        from django.core.management import call_command
        out = io.StringIO()
        call_command("prune", json=True, stdout=out)
        print(json.dumps(json.loads(out.getvalue())["is_complete"]))
    """)

    assert (captured, sessions(old_session)) == (True, 0)


def test_the_task_is_found_by_celery_and_prunes(
    make_project: Callable[..., Project], old_session: sa.Engine, empty_store_url: str
) -> None:
    project = make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": "{empty_store_url}"}}')

    result = project.python("""
        from celery import Celery
        app = Celery("shop", set_as_current=True)
        app.conf.task_always_eager = True
        app.autodiscover_tasks(["e2edebug.django"], force=True)
        print(json.dumps(app.tasks["e2edebug.prune"].delay().get()))
    """)

    assert (result["steps"], result["is_complete"], sessions(old_session)) == (1, True, 0)
