"""A Django project that receives OTLP, served by what people serve Django with."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from django_app.project import Project
from rest.api_project import APPS
from support.otlp import KEYS, TOKEN

PATH = "/api/v1/debugging/ingest/v1/traces"
MIDDLEWARE = (
    "e2edebug.django.middleware.CorrelationIdMiddleware",
    "e2edebug.django.middleware.DebuggingMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
FILES = {
    "stranger/urls.py": """
        from django.http import HttpResponse
        from django.urls import include, path
        urlpatterns = [
            path("api/v1/debugging/", include("e2edebug.django.urls")),
            path("up/", lambda request: HttpResponse("up")),
        ]
    """,
    "stranger/wsgi.py": """
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stranger.settings")
        from django.core.wsgi import get_wsgi_application
        application = get_wsgi_application()
    """,
    "stranger/asgi.py": """
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stranger.settings")
        from django.core.asgi import get_asgi_application
        application = get_asgi_application()
    """,
}
COMMANDS = {
    "gunicorn": ["-m", "gunicorn", "stranger.wsgi", "--bind", "127.0.0.1:{port}", "--threads", "4"],
    "uvicorn": ["-m", "uvicorn", "stranger.asgi:application", "--port", "{port}", "--lifespan", "off"],
    "runserver": ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"],
    "waitress": ["-m", "waitress", "--listen", "127.0.0.1:{port}", "stranger.wsgi:application"],
}


def receiving_project(folder: Path) -> Project:
    """Return a project that has the app and nothing of its own."""
    return Project(folder, apps=APPS, middleware=MIDDLEWARE, files=FILES)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served_by(server: str, project: Project, store_url: str, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run the project under *server* and yield its port; it ends by SIGTERM or SIGINT, as an operator ends it."""
    port = free_port()
    given = {
        "E2EDEBUG_DATABASE_URL": store_url,
        "E2EDEBUG_INGEST_KEYS": " ".join(KEYS),
        "E2EDEBUG_FLUSH_INTERVAL_S": "0.05",
        "DJANGO_SETTINGS_MODULE": "stranger.settings",
        "PYTHONUNBUFFERED": "1",
        **(environ or {}),
    }
    log = (project.folder / f"{server}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, *(word.format(port=port) for word in COMMANDS[server])],
        cwd=project.folder,
        env=project.environment(given) | given,
        stdout=log,
        stderr=log,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                assert process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < deadline, Path(log.name).read_text()
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGINT if server == "runserver" else signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=30)
        log.close()


def talk(port: int, head: str, body: bytes, *, timeout_s: float = 30) -> tuple[int, dict[str, str], bytes]:
    """Send a request byte by byte as it is written here; return status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # whoever refuses need not read on
            connection.sendall((head.replace("\n", "\r\n") + "\r\n").encode("latin1") + body)
        received = b""
        while True:
            try:
                piece = connection.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            received += piece
    top, _, content = received.partition(b"\r\n\r\n")
    lines = top.decode("latin1").split("\r\n")
    status = re.match(r"HTTP/1\.[01] (\d{3})", lines[0])
    assert status, received[:500]
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines[1:])}
    return int(status[1]), headers, content


def head(media_type: str, *more: str, token: str = TOKEN, path: str = PATH) -> str:
    """Return the head of a POST request, whose body follows."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Type: {media_type}", *more]
    if token:
        lines.append(f"X-E2E-Key: {token}")
    return "\n".join(lines) + "\n"


def chunked(body: bytes, size: int = 1000) -> bytes:
    """Return *body* in chunks (RFC 9112, section 7.1)."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
