"""A Django project in a folder of its own, run as the processes that people run."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START = "import start_tracing"
"""The line that a person adds; where it stands is what the tests vary."""

FILES = {
    # What the line does: an SDK that writes each span as a line of SPANS_FILE, and our instrumentor.
    "start_tracing.py": """
        import json, os
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

        def line(span):
            return json.dumps({
                "name": span.name, "trace": format(span.context.trace_id, "032x"), "pid": os.getpid(),
                "is_root": span.parent is None, "status": span.status.status_code.name,
                "attributes": {key: str(value) for key, value in span.attributes.items()},
            }) + "\\n"

        provider = TracerProvider()
        out = open(os.environ["SPANS_FILE"], "a", buffering=1)
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out, formatter=line)))
        trace.set_tracer_provider(provider)

        from e2edebug_instrumentation.django_requests.instrumentor import DjangoRequestInstrumentor
        DjangoRequestInstrumentor().instrument()
    """,
    "project/__init__.py": "",
    "project/settings.py": """
        {settings_top}
        SECRET_KEY = "x" * 50
        DEBUG = False
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "project.urls"
        USE_TZ = True
        INSTALLED_APPS = [
            "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.staticfiles",
            "people",
        ]
        AUTH_USER_MODEL = "people.Person"
        MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ]
        STATIC_URL = "static/"
        DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}}}
        WSGI_APPLICATION = "project.wsgi.application"
        {settings_bottom}
    """,
    "project/urls.py": """
        import asyncio
        from django.contrib.auth import get_user_model, login
        from django.http import HttpResponse, StreamingHttpResponse
        from django.urls import path

        def hello(request):
            return HttpResponse(request.correlation_id)

        def sign_in(request):
            person, _ = get_user_model().objects.get_or_create(username="ada")
            login(request, person, backend="django.contrib.auth.backends.ModelBackend")
            return HttpResponse(f"{person.pk} {request.session.session_key}")

        def me(request):
            return HttpResponse(request.user.get_username())

        async def waits(request):
            await asyncio.sleep(60)

        def export(request):
            return StreamingHttpResponse(str(n) for n in range(3))

        urlpatterns = [path("hello/", hello), path("sign-in/", sign_in), path("me/", me),
                       path("waits/", waits), path("export/", export)]
    """,
    "project/wsgi.py": """
        {wsgi_top}
        import os
        from django.core.wsgi import get_wsgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        {wsgi_middle}
        application = get_wsgi_application()
        {wsgi_bottom}
    """,
    "project/asgi.py": """
        {asgi_top}
        import os
        from django.core.asgi import get_asgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        application = get_asgi_application()
        {asgi_bottom}
    """,
    "manage.py": """
        {manage_top}
        import os, sys
        from django.core.management import execute_from_command_line
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        execute_from_command_line(sys.argv)
    """,
    "people/__init__.py": "",
    "people/models.py": """
        import uuid
        from django.contrib.auth.base_user import AbstractBaseUser
        from django.db import models

        class Person(AbstractBaseUser):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            username = models.CharField(max_length=50, unique=True)
            USERNAME_FIELD = "username"
    """,
}
_PLACES = [
    "settings_top",
    "settings_bottom",
    "wsgi_top",
    "wsgi_middle",
    "wsgi_bottom",
    "asgi_top",
    "asgi_bottom",
    "manage_top",
]


class GeneratedProject:
    """The project with the one line at *place*, which is one of the names in FILES, or nowhere."""

    def __init__(self, folder: Path, place: str = "") -> None:
        self.folder = folder
        self.spans_file = folder / "spans.jsonl"
        self.spans_file.touch()
        lines = {name: START if name == place else "" for name in _PLACES}
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            body = textwrap.dedent(text).lstrip()
            path.write_text(body if name in ("start_tracing.py", "project/urls.py") else body.format(**lines))

    def run(self, *arguments: str) -> str:
        """Run Python with *arguments* in the project's folder; return what it printed, fail where it failed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def serve(self, *command: str) -> Iterator["Server"]:
        """Run `python -m` *command*, in which {port} is the port to listen on, until the block ends."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = self.folder / "server.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *(part.format(port=port) for part in command)],
                cwd=self.folder,
                env=self._environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_for_port(port, process, log)
            yield Server(port, log)
        finally:
            # The whole group: runserver's reloader does not take its child along.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)

    def spans(self) -> list[dict[str, Any]]:
        """The spans that ended so far."""
        return [json.loads(line) for line in self.spans_file.read_text().splitlines()]

    def wait_for_spans(self, count: int) -> list[dict[str, Any]]:
        """The spans once there are *count* of them; they end a moment after their response."""
        deadline = time.monotonic() + 60
        while len(spans := self.spans()) < count:
            assert time.monotonic() < deadline, spans
            time.sleep(0.01)
        return spans

    def _environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "OTEL_"))}
        return {
            **environment,
            "SPANS_FILE": str(self.spans_file),
            "E2EDEBUG_RAISE_ERRORS": "1",
            "PYTHONPATH": str(self.folder),
        }


class Server:
    """A running server."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an answer, be it an error."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
