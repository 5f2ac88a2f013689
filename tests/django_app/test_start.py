"""Loading the app starts the recording: once, in the processes that serve."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from django_app.project import Project
from support.mariadb import free_port
from support.waiting import wait_until

WSGI = """
    import os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stranger.settings")
    from django.core.wsgi import get_wsgi_application
    application = get_wsgi_application()
"""


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "runserver", "{port}"],
        ["-m", "gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:{port}", "stranger.wsgi"],
    ],
    ids=["runserver with its reloader", "gunicorn that forks after loading"],
)
def test_requests_are_recorded_and_one_process_says_so(
    make_project: Callable[..., Project], command: list[str]
) -> None:
    project = make_project(files={"stranger/wsgi.py": WSGI})
    project.make_tables()
    port = free_port()

    said = serve(project, [part.format(port=port) for part in command], f"http://127.0.0.1:{port}/people/")

    assert said.count("e2edebug: recording stranger into") == 1, said
    stored = project.python(
        """
    from e2edebug.django.models import TraceStep
    steps = TraceStep.objects.filter(kind="server")
    print(json.dumps([steps.count(), len({step.metadata["service.instance.id"] for step in steps}) in (1, 2)]))
    """,
        environ={"E2EDEBUG_ENABLED": "0"},
    )
    assert stored == [5, True]


def test_a_store_that_gives_no_answer_does_not_stop_the_migrations_of_the_application(
    make_project: Callable[..., Project],
) -> None:
    project = make_project()
    nowhere = f"mysql+pymysql://nobody@127.0.0.1:{free_port()}/nothing"

    said = project.manage("migrate", environ={"E2EDEBUG_DATABASE_URL": nowhere, "E2EDEBUG_ENABLED": "0"})

    assert "Applying people.0001_initial... OK" in said
    assert "gives no answer" in said
    assert "Run `manage.py migrate` again" in said


def serve(project: Project, arguments: list[str], url: str) -> str:
    """Start a server, ask it five times, end it and return what it printed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("E2EDEBUG_", "OTEL_"))}
    environ |= {"PYTHONPATH": str(project.folder), "DJANGO_SETTINGS_MODULE": "stranger.settings"}
    output: Path = project.folder / "output.txt"
    with output.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=project.folder,
            env=environ | {"E2EDEBUG_FLUSH_INTERVAL_S": "0.1"},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(url))
        for _ in range(4):
            assert answers(url)
        wait_until(lambda: stored_requests(project) >= 5)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
    return output.read_text()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def stored_requests(project: Project) -> int:
    import sqlite3
    from contextlib import closing

    path = project.folder / "e2edebug.sqlite3"
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            query = "SELECT COUNT(*) FROM debugging_trace_step WHERE kind = 'server'"
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0
