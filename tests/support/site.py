"""A small Django site in a folder of its own, run in processes of its own: Django is configured once per process."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

_FILES = {
    "site_project/__init__.py": "",
    "site_project/settings.py": """
        {settings_top}
        SECRET_KEY = "not secret"
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "site_project.urls"
        USE_TZ = True
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "site_project"]
        TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {{}}}}]
        DATABASES = {databases}
        {settings_bottom}
    """,
    "site_project/urls.py": """
        from django.contrib.auth.models import User
        from django.http import Http404, HttpResponse
        from django.urls import path

        def users(request):
            return HttpResponse(f"{{User.objects.count()}} {{request.correlation_id}}")

        def crash(request):
            raise ValueError("the card 4111 1111 1111 1111 was refused")

        def missing(request, pk):
            raise Http404("nothing here")

        urlpatterns = [path("users/", users), path("crash/", crash), path("missing/<int:pk>/", missing)]
    """,
    "site_project/management/__init__.py": "",
    "site_project/management/commands/__init__.py": "",
    "site_project/management/commands/count_users.py": """
        from django.contrib.auth.models import User
        from django.core.management.base import BaseCommand, CommandError

        class Command(BaseCommand):
            def add_arguments(self, parser):
                parser.add_argument("--fail", action="store_true")
            def handle(self, *args, **options):
                for _ in range(3):
                    User.objects.count()
                if options["fail"]:
                    raise CommandError("asked to fail")
    """,
    "site_project/wsgi.py": """
        {wsgi_top}
        import os
        from django.core.wsgi import get_wsgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
        application = get_wsgi_application()
    """,
    "site_project/asgi.py": """
        {asgi_top}
        import os
        from django.core.asgi import get_asgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
        application = get_asgi_application()
    """,
    "manage.py": """
        {manage_top}
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
}

_PLACES = ("settings_top", "settings_bottom", "wsgi_top", "asgi_top", "manage_top")

SQLITE_DATABASES = '{"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}}'


_migrated: list[bytes] = []
"""The file of a migrated SQLite site: migrating takes two seconds, copying none."""


class Site:
    """The site; *lines* puts source text into named places, such as `{"wsgi_top": "import e2edebug.auto"}`."""

    def __init__(self, folder: Path, lines: Mapping[str, str] | None = None, *, databases: str = SQLITE_DATABASES):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        fields = dict.fromkeys(_PLACES, "") | {"databases": databases} | dict(lines or {})
        for name, text in _FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).format(**fields))
        if databases != SQLITE_DATABASES:
            self._migrate()
        elif _migrated:
            (folder / "site.sqlite3").write_bytes(_migrated[0])
        else:
            self._migrate()
            _migrated.append((folder / "site.sqlite3").read_bytes())

    def _migrate(self) -> None:
        self.run("manage.py", "migrate", "--verbosity", "0", environ={"E2EDEBUG_ENABLED": "0"})

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python with *arguments* in the site's folder; raises with its output when it fails."""
        run = self.run_unchecked(*arguments, environ=environ)
        assert run.returncode == 0, run.stdout + run.stderr
        return run

    def run_unchecked(
        self, *arguments: str, environ: Mapping[str, str] | None = None, program: str = sys.executable
    ) -> subprocess.CompletedProcess[str]:
        """Run *program* likewise, whatever its exit code."""
        return subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=self.environment(environ),
            capture_output=True,
            text=True,
            timeout=180,
        )

    def environment(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that a program of the site runs with."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_", "DJANGO_"))
        }
        return {
            **inherited,
            "E2EDEBUG_RAISE_ERRORS": "1",
            "E2EDEBUG_EXIT_TIMEOUT_S": "30",
            "PYTHONPATH": str(self.folder),
            **(environ or {}),
        }
