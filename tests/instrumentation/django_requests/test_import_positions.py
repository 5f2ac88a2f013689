"""One line, wherever a person puts it."""

from pathlib import Path

import pytest

from .generated_project import GeneratedProject

WSGI = "from project.wsgi import application; from wsgiref.util import setup_testing_defaults as d; e = {'PATH_INFO': '/hello/'}; d(e); b''.join(application(e, lambda *a: None))"
CLIENT = "from django.test import AsyncClient, Client; assert Client().get('/hello/').status_code == 200"
ASGI = """
import asyncio
from project.asgi import application
async def main():
    sent = asyncio.Event()
    reads = iter([{"type": "http.request"}])
    async def receive():
        for message in reads:
            return message
        await sent.wait()
        return {"type": "http.disconnect"}
    async def send(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            sent.set()
    await application({"type": "http", "method": "GET", "path": "/hello/", "headers": [], "query_string": b""}, receive, send)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("wsgi_top", ("-c", WSGI)),
        ("wsgi_middle", ("-c", WSGI)),
        ("wsgi_bottom", ("-c", WSGI)),
        ("asgi_top", ("-c", ASGI)),
        ("asgi_bottom", ("-c", ASGI)),
        ("settings_top", ("-c", WSGI)),
        ("settings_bottom", ("-c", WSGI)),
        ("settings_top", ("-c", ASGI)),
        ("settings_bottom", ("manage.py", "shell", "-v", "0", "-c", CLIENT)),
        ("manage_top", ("manage.py", "shell", "-v", "0", "-c", CLIENT)),
        ("", ("-c", f"import start_tracing; {WSGI}")),
        ("", ("-c", "import start_tracing, runpy, sys; sys.argv = ['manage.py', 'shell', '-v', '0', '-c', "
              f"{CLIENT!r}]; runpy.run_path('manage.py', run_name='__main__')")),
    ],
)  # fmt: skip
def test_requests_are_traced_wherever_the_line_stands(place: str, command: tuple[str, ...], tmp_path: Path) -> None:
    project = GeneratedProject(tmp_path, place)

    project.run(*command)

    (span,) = project.spans()
    assert (span["name"], span["is_root"]) == ("GET hello/", True)
    assert span["attributes"]["e2edebug.component"] == "hello"


def test_a_program_without_django_pays_nothing(tmp_path: Path) -> None:
    project = GeneratedProject(tmp_path)

    printed = project.run("-c", "import start_tracing, sys; print([m for m in sys.modules if 'django' in m.lower()])")

    assert "'django" not in printed
    assert "opentelemetry.instrumentation.django" not in printed


def test_a_program_that_only_uses_djangos_settings_is_left_alone(tmp_path: Path) -> None:
    """The stock instrumentor calls settings.configure() where no settings module is named, which breaks the project."""
    project = GeneratedProject(tmp_path)

    printed = project.run(
        "-c", "import start_tracing, django.conf, django.core.handlers.base; print(django.conf.settings.configured)"
    )

    assert printed.strip().endswith("False")
