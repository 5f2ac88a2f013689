"""`manage.py evaluate_thresholds`, the Celery task and Django's e-mail: evaluation in a Django project."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import minutes
from django_app.project import Project

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate
from e2edebug_schema.queries.alerts import list_alerts, notifications


@pytest.fixture
def slow(empty_store_url: str) -> sa.Engine:
    """A store in which a view is slow."""
    engine = create_store_engine(empty_store_url)
    migrate(engine)
    minutes(engine, datetime.now(UTC), "Checkout", 900.0)
    return engine


def test_the_command_evaluates_and_sends_by_the_projects_own_e_mail(
    make_project: Callable[..., Project], slow: sa.Engine, empty_store_url: str
) -> None:
    project = make_project(
        settings=f"""
E2EDEBUG = {{"DATABASE_URL": "{empty_store_url}", "NOTIFY_URLS": "django-email:ops@example.com", "SITE_URL": "https://shop.example.com"}}
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = "mails"
"""
    )

    output = project.manage("evaluate_thresholds")

    (alert,) = list_alerts(slow)
    (mail,) = (project.folder / "mails").iterdir()
    text = mail.read_text()
    assert "fired         warning   api Checkout" in output
    assert "messages: 1 sent" in output
    assert (alert.state, [one.status for one in notifications(slow)]) == ("firing", ["sent"])
    assert "Subject: [warning] response time of Checkout" in text
    assert "To: ops@example.com" in text
    assert f"https://shop.example.com/admin/debugging/alert/{alert.id}/change/" in text


def test_the_task_is_found_by_celery_and_evaluates(
    make_project: Callable[..., Project], slow: sa.Engine, empty_store_url: str
) -> None:
    project = make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": "{empty_store_url}"}}')

    result = project.python("""
        from celery import Celery
        app = Celery("shop", set_as_current=True)
        app.conf.task_always_eager = True
        app.autodiscover_tasks(["e2edebug.django"], force=True)
        print(json.dumps(app.tasks["e2edebug.evaluate_thresholds"].delay().get()))
    """)

    assert (result["evaluated"], result["transitions"]) == (True, 1)
    assert len(list_alerts(slow)) == 1
