"""A stranger's Django project in a folder of its own, with e2edebug.django among its apps."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
APPS = ("django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "e2edebug.django", "people")

_FILES = {
    "stranger/__init__.py": "",
    "stranger/settings.py": """
        SECRET_KEY = "not secret"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "stranger.urls"
        USE_TZ = True
        INSTALLED_APPS = {apps}
        MIDDLEWARE = {middleware}
        TEMPLATES = [
            {{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {{}}}}
        ]
        DATABASES = {{"default": {database}}}
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    """,
    "people/__init__.py": "",
    "people/models.py": """
        from django.db import models

        class Person(models.Model):
            name = models.CharField(max_length=50)
    """,
    "people/migrations/__init__.py": "",
    "people/migrations/0001_initial.py": """
        from django.db import migrations, models

        class Migration(migrations.Migration):
            operations = [
                migrations.CreateModel(
                    name="Person",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=50))
                    ],
                )
            ]
    """,
    "stranger/urls.py": """
        from django.http import HttpResponse
        from django.urls import path
        from people.models import Person

        def people(request):
            Person.objects.create(name="Ada")
            return HttpResponse(str(Person.objects.count()))

        def crash(request):
            raise ValueError("refused")

        urlpatterns = [path("people/", people), path("crash/", crash)]
    """,
    "manage.py": """
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stranger.settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
}

_migrated: list[bytes] = []

_SETUP = "import os, json\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'stranger.settings')\n"


class Project:
    """The project. Its parts are Python source; *settings* is put behind the settings file, *files* beside it."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "",
        settings: str = "",
        apps: tuple[str, ...] = APPS,
        middleware: tuple[str, ...] = MIDDLEWARE,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        database = database or django_database(f"sqlite:///{folder / 'site.sqlite3'}")
        places = {"apps": repr(list(apps)), "middleware": repr(list(middleware)), "database": database}
        written = {name: textwrap.dedent(text) for name, text in _FILES.items()}
        written["stranger/settings.py"] = written["stranger/settings.py"].format(**places) + textwrap.dedent(settings)
        written |= {name: textwrap.dedent(text) for name, text in (files or {}).items()}
        for name, text in written.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def make_tables(self) -> None:
        """Migrate the project's own SQLite file; the first one takes seconds, copies of it none."""
        path = self.folder / "site.sqlite3"
        if not _migrated:
            self.manage("migrate", "--verbosity", "0", environ={"E2EDEBUG_ENABLED": "0"})
            _migrated.append(path.read_bytes())
        path.write_bytes(_migrated[0])

    def manage(self, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        """Run manage.py and return what it printed, on both streams; raises when it fails."""
        run = self.run("manage.py", *arguments, environ=environ)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout + run.stderr

    def python(self, source: str, *, environ: Mapping[str, str] | None = None, timeout_s: float = 120) -> Any:
        """Run *source* after django.setup() and return the JSON that it prints as its last line, if any."""
        whole = "import django\ndjango.setup()\n" + textwrap.dedent(source)
        return self.script(whole, environ=environ, timeout_s=timeout_s)

    def script(self, source: str, *, environ: Mapping[str, str] | None = None, timeout_s: float = 120) -> Any:
        """Run *source* likewise, Django not yet set up."""
        run = self.run("-c", _SETUP + textwrap.dedent(source), environ=environ, timeout_s=timeout_s)
        assert run.returncode == 0, run.stdout + run.stderr
        lines = run.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def run(
        self, *arguments: str, environ: Mapping[str, str] | None = None, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run Python with *arguments* in the project's folder, whatever its exit code."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment(environ),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a process of the project: this one's without settings of ours, and *environ*."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_", "DJANGO_"))
        }
        ours = {"E2EDEBUG_RAISE_ERRORS": "1", "E2EDEBUG_EXIT_TIMEOUT_S": "30", "PYTHONPATH": str(self.folder)}
        return inherited | ours | dict(environ or {})


def django_database(url: str) -> str:
    """Return *url* as an entry of Django's DATABASES, in Python's spelling."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return repr({"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.database})
    return (
        "(__import__('pymysql').install_as_MySQLdb(), "
        + repr(
            {
                "ENGINE": "django.db.backends.mysql",
                "NAME": parsed.database,
                "USER": parsed.username,
                "PASSWORD": str(parsed.password or ""),
                "HOST": parsed.host,
                "PORT": str(parsed.port or ""),
                "OPTIONS": {"charset": "utf8mb4"},
            }
        )
        + ")[1]"
    )
