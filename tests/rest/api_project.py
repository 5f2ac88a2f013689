"""A project that serves the REST API, its users, and a client that speaks to it over HTTP."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from django_app.project import Project

APPS = (
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework",
    "drf_spectacular", "e2edebug.django", "people",
)  # fmt: skip
SETTINGS = """
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication", "rest_framework.authentication.SessionAuthentication",
    ],
    # What a project may have set, and what must not change our endpoints.
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 3,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
    "EXCEPTION_HANDLER": "people.models.handler",
    "STRICT_JSON": False,
}
E2EDEBUG = {"API_THROTTLE_RATE": "unlimited"}
"""
FILES = {
    "stranger/urls.py": """
        from django.urls import include, path
        urlpatterns = [path("api/v1/debugging/", include("e2edebug.django.urls"))]
    """,
    "people/models.py": """
        def handler(error, context):
            raise RuntimeError("the project's own handler was called")
    """,
    "make_users.py": """
        import os, django
        os.environ["DJANGO_SETTINGS_MODULE"] = "stranger.settings"
        django.setup()
        from django.contrib.auth.models import Permission, User
        from django.core.management import call_command
        call_command("migrate", verbosity=0)
        User.objects.create_superuser("root", password="root")
        for name, words in {
            "reader": ["view_"], "nobody": [], "sessions": ["view_workflowsession"],
            "writer": ["add_", "view_workflowsession", "view_tracestep", "view_errorlog", "view_performancesnapshot"],
        }.items():
            user = User.objects.create_user(name, password=name, is_staff=True)
            user.user_permissions.set(
                one for one in Permission.objects.filter(content_type__app_label="debugging")
                if any(one.codename.startswith(word) for word in words) and one.codename != "view_personal_data"
            )
        User.objects.create_user("customer", password="customer")
    """,
    "serve.py": """
        import os, socketserver, sys
        from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
        os.environ["DJANGO_SETTINGS_MODULE"] = "stranger.settings"
        from django.core.wsgi import get_wsgi_application

        class Server(socketserver.ThreadingMixIn, WSGIServer):
            daemon_threads = True
            request_queue_size = 64

        class Quiet(WSGIRequestHandler):
            def log_message(self, *arguments):
                pass

        server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
        print(server.server_port, flush=True)
        server.serve_forever()
    """,
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """Asks as one user; paths are below `/api/v1/debugging/`, or whole addresses from a link."""

    def __init__(self, base: str, user: str | None = "root") -> None:
        self.base = base
        self.user = user

    def by(self, user: str | None) -> "Client":
        """Return a client that asks as *user*; None: as nobody."""
        return Client(self.base, user)

    def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Answer:
        """POST a JSON document, or bytes as they are."""
        return self.ask("POST", path, body={} if body is None else body, raw=raw, headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send any request."""
        url = path if path.startswith("http") else f"{self.base}{path}"
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json"} | dict(headers or {})
        sent = {name.replace("_", "-"): value for name, value in sent.items()}
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if self.user is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.user}".encode()).decode()
        request = urllib.request.Request(url, data=data, method=method, headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _answer(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error)


def _answer(status: int, response: Any) -> Answer:
    content = response.read()
    headers = response.headers
    is_json = headers.get("Content-Type", "").startswith("application/json") and "Content-Encoding" not in headers
    return Answer(status, json.loads(content) if is_json and content else content, dict(response.headers.items()))


def api_project(folder: Path, *, settings: str = "", files: Mapping[str, str] | None = None) -> Project:
    """Return a project with the API and its users."""
    project = Project(folder, apps=APPS, settings=SETTINGS + settings, files=FILES | dict(files or {}))
    run = project.run("make_users.py")
    assert run.returncode == 0, run.stdout + run.stderr
    return project


@contextmanager
def served(project: Project, *, environ: Mapping[str, str]) -> Iterator[Client]:
    """Run the project's server and yield a client of it."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_", "DJANGO_"))
    }
    log = (project.folder / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "serve.py"],
        cwd=project.folder,
        env=inherited | {"PYTHONPATH": str(project.folder)} | dict(environ),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        port = process.stdout.readline().strip()
        watchdog.cancel()
        assert port, (project.folder / "server.log").read_text()
        yield Client(f"http://127.0.0.1:{port}/api/v1/debugging/")
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        process.stdout.close()
        log.close()


class Site:
    """A served project and its store."""

    def __init__(self, client: Client, engine: sa.Engine, project: Project, environ: dict[str, str]) -> None:
        self.client = client
        self.engine = engine
        self.project = project
        self.environ = environ

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds in the store."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def execute(self, *statements: str) -> None:
        """Change the store by hand."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execution_options(no_parameters=True).exec_driver_sql(statement)
