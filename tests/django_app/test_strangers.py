"""The app in projects of strangers: whatever they have set up, requests are recorded and their own work is unharmed."""

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest
from django_app.project import APPS, MIDDLEWARE, Project, django_database

OURS = ("e2edebug.django.middleware.CorrelationIdMiddleware", "e2edebug.django.middleware.DebuggingMiddleware")

USERS = {
    "people/models.py": """
        import uuid
        from django.contrib.auth.models import AbstractUser
        from django.db import models

        class Account(AbstractUser):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)

        class Person(models.Model):
            name = models.CharField(max_length=50)
    """,
    "people/migrations/0001_initial.py": """
        import uuid
        import django.contrib.auth.models
        from django.db import migrations, models

        class Migration(migrations.Migration):
            dependencies = [("auth", "0012_alter_user_first_name_max_length")]
            operations = [
                migrations.CreateModel(
                    name="Account",
                    fields=[
                        ("password", models.CharField(max_length=128)),
                        ("last_login", models.DateTimeField(blank=True, null=True)),
                        ("is_superuser", models.BooleanField(default=False)),
                        ("username", models.CharField(max_length=150, unique=True)),
                        ("first_name", models.CharField(blank=True, max_length=150)),
                        ("last_name", models.CharField(blank=True, max_length=150)),
                        ("email", models.EmailField(blank=True, max_length=254)),
                        ("is_staff", models.BooleanField(default=False)),
                        ("is_active", models.BooleanField(default=True)),
                        ("date_joined", models.DateTimeField(null=True)),
                        ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                        ("groups", models.ManyToManyField(blank=True, to="auth.group")),
                        ("user_permissions", models.ManyToManyField(blank=True, to="auth.permission")),
                    ],
                    managers=[("objects", django.contrib.auth.models.UserManager())],
                ),
                migrations.CreateModel(
                    name="Person",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=50))
                    ],
                ),
            ]
    """,
}

URLS = {
    "stranger/urls.py": """
        from django.contrib.auth import get_user_model
        from django.http import HttpResponse
        from django.urls import include, path
        from django.conf import settings
        from people.models import Person

        def people(request):
            Person.objects.create(name="Ada")
            return HttpResponse(f"{Person.objects.count()} {request.user}")

        async def people_async(request):
            await Person.objects.acreate(name="Grace")
            return HttpResponse(str(await Person.objects.acount()))

        def crash(request):
            Person.objects.create(name="nobody")
            raise ValueError("refused")

        urlpatterns = [path("people/", people), path("async/", people_async), path("crash/", crash)]
        if "silk" in settings.INSTALLED_APPS:
            urlpatterns.append(path("silk/", include("silk.urls", namespace="silk")))
        if settings.DATABASES["default"].get("ATOMIC_REQUESTS"):
            from django.db import transaction
            people_async = transaction.non_atomic_requests(people_async)
            urlpatterns[1] = path("async/", people_async)
    """
}

SILK = """
    import os
    SILKY_PYTHON_PROFILER = False
    SILKY_INTERCEPT_PERCENT = 100
"""
SENTRY = """
    import sentry_sdk
    from sentry_sdk.transport import Transport
    SENT = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            SENT.extend(item.type for item in envelope.items)

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Kept, traces_sample_rate=1.0)
"""

STRANGERS: dict[str, dict[str, Any]] = {
    "a custom user model with a UUID": {"settings": 'AUTH_USER_MODEL = "people.Account"\n', "files": USERS},
    "USE_TZ off, far from UTC": {"settings": 'USE_TZ = False\nTIME_ZONE = "Asia/Kolkata"\n'},
    "ATOMIC_REQUESTS": {"settings": 'DATABASES["default"]["ATOMIC_REQUESTS"] = True\n'},
    "django-silk beside it": {
        "apps": (*APPS, "silk"),
        "middleware": (*OURS, "silk.middleware.SilkyMiddleware", *MIDDLEWARE),
        "settings": dedent(SILK),
    },
    "Sentry beside it": {"settings": dedent(SENTRY)},
}
STRANGERS["all of it at once"] = {
    "apps": (*APPS, "silk"),
    "middleware": (*OURS, "silk.middleware.SilkyMiddleware", *MIDDLEWARE),
    "settings": "".join(str(one["settings"]) for one in STRANGERS.values()),
    "files": USERS,
}

REQUESTS = """
    import asyncio, datetime
    import e2edebug
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import AsyncClient, Client
    from django.utils import timezone

    user = get_user_model().objects.create_user("ada", password="secret-1")
    client = Client(raise_request_exception=False)
    client.force_login(user)
    answers = [client.get("/people/"), asyncio.run(AsyncClient().get("/async/")), client.get("/crash/")]
    assert e2edebug.flush(30)

    from e2edebug.django.models import ErrorLog, TraceStep, WorkflowSession
    from people.models import Person
    sessions = {session.root_operation: session for session in WorkflowSession.objects.since(minutes=5)}
    seen = {}
    for answer, root in zip(answers, ("GET /people", "GET /async", "GET /crash")):
        session = WorkflowSession.objects.get(correlation_id=answer["X-Correlation-ID"])
        steps = list(session.trace_steps.order_by("start_time"))
        seen[root] = [
            session.status, session.user_id == str(user.pk), [step.layer for step in steps].count("api"),
            sum(step.layer == "database" and step.component == "people_person" for step in steps),
        ]
        now = timezone.now()
        assert abs(session.start_time - now) < datetime.timedelta(minutes=5), (session.start_time, now)
        assert timezone.is_aware(session.start_time) == settings.USE_TZ
    error = ErrorLog.objects.get(error_type="ValueError")
    print(json.dumps({
        "codes": [answer.status_code for answer in answers],
        "people": answers[0].content.decode(),
        "seen": seen,
        "error": [error.workflow_session.status, error.user_id == str(user.pk), error.error_group.occurrences],
        "kept": Person.objects.filter(name="nobody").count(),
        "sent_to_sentry": sorted(set(getattr(settings, "SENT", []))),
        "silk": __import__("silk.models").models.Request.objects.count() if "silk" in settings.INSTALLED_APPS else None,
    }))
"""


def stranger(make_project: Callable[..., Project], name: str, **more: Any) -> Project:
    """A project as the table of strangers has it."""
    parts: dict[str, Any] = {"middleware": (*OURS, *MIDDLEWARE)} | STRANGERS[name] | more
    parts["files"] = URLS | parts.get("files", {})
    return make_project(**parts)


def check_what_was_recorded(project: Project, name: str, **environ: str) -> None:
    found = project.python(REQUESTS, environ={"SENTRY_SPOTLIGHT": "", **environ})

    queries = 3 if "silk" in name or "all" in name else 2  # silk asks for the plan of each SELECT
    is_atomic = name in ("ATOMIC_REQUESTS", "all of it at once")
    assert found["codes"] == [200, 200, 500]
    assert found["people"] == "1 ada"
    assert found["seen"] == {
        "GET /people": ["completed", True, 1, queries],
        "GET /async": ["completed", False, 1, queries],
        "GET /crash": ["failed", True, 1, 1],
    }
    assert found["error"] == ["failed", True, 1]
    assert found["kept"] == (0 if is_atomic else 1), "the project's own transactions are its own"
    if "Sentry" in name or "all" in name:
        assert "event" in found["sent_to_sentry"]
    if "silk" in name or "all" in name:
        assert found["silk"] >= 2


@pytest.mark.parametrize("name", ["USE_TZ off, far from UTC", "all of it at once"])
def test_requests_of_a_stranger_are_recorded(make_project: Callable[..., Project], name: str) -> None:
    project = stranger(make_project, name)
    project.manage("migrate", "--verbosity", "0")

    # What is logged is written before the request's step has ended, as a slow request's is.
    check_what_was_recorded(project, name, E2EDEBUG_FLUSH_INTERVAL_S="0.01")


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_stranger_whose_own_database_is_mariadb(make_project: Callable[..., Project], database: str) -> None:
    """Writer and application share it, transactions of requests included."""
    project = stranger(make_project, "all of it at once", database=database)
    project.manage("migrate", "--verbosity", "0")

    check_what_was_recorded(project, "all of it at once")
    assert "no issues" in project.manage("check", "--database", "default")
    assert "No changes detected" in project.manage("makemigrations", "--check", "--dry-run", "debugging")


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_a_stranger_whose_second_database_is_the_store(
    make_project: Callable[..., Project], empty_store_url: str
) -> None:
    project = stranger(
        make_project,
        "ATOMIC_REQUESTS",
        settings=dedent(f"""
            DATABASES["default"]["ATOMIC_REQUESTS"] = True
            DATABASES["telemetry"] = {django_database(empty_store_url)}
            E2EDEBUG = {{"DATABASE_ALIAS": "telemetry"}}
        """),
    )
    project.manage("migrate", "--verbosity", "0")

    check_what_was_recorded(project, "ATOMIC_REQUESTS")
