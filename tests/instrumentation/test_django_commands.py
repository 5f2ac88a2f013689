"""Management commands that are no workflow, in processes of their own."""

from pathlib import Path

import sqlalchemy as sa
from support.site import Site

RUNSERVER = """
import os, sys
import e2edebug.auto
os.environ["DJANGO_SETTINGS_MODULE"] = "site_project.settings"
from django.core.management import execute_from_command_line
from django.core.management.commands import runserver

def serve(*_, **__):
    from django.contrib.auth.models import User
    User.objects.count()

runserver.run = serve
execute_from_command_line(["manage.py", "runserver", "--noreload"])
"""
UNDONE = """
import e2edebug_instrumentation.django_commands as commands
from django.core.management.base import BaseCommand
before = [vars(BaseCommand)[name] for name in ("execute", "check", "check_migrations")]
instrumentor = commands.DjangoCommandInstrumentor()
for _ in range(2):
    instrumentor.instrument()
    during = [vars(BaseCommand)[name] for name in ("execute", "check", "check_migrations")]
    instrumentor.uninstrument()
    after = [vars(BaseCommand)[name] for name in ("execute", "check", "check_migrations")]
    print(all(a is b for a, b in zip(before, after)), any(a is b for a, b in zip(before, during)))
"""


def stored(url: str, query: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


def test_what_a_server_asks_the_database_before_it_serves_is_no_workflow(tmp_path: Path) -> None:
    """Each start and each reload would be three sessions: a connection, the tables, the migrations."""
    site = Site(tmp_path / "site")
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"

    run = site.run("-c", RUNSERVER, environ={"E2EDEBUG_DATABASE_URL": url})

    assert "Performing system checks" in run.stdout
    assert stored(url, "SELECT component FROM debugging_trace_step WHERE statement IS NOT NULL") == [("auth_user",)]
    assert stored(url, "SELECT COUNT(*) FROM debugging_trace_step WHERE operation = 'CONNECT'") == [(1,)]


def test_the_instrumentor_leaves_commands_as_they_were(tmp_path: Path) -> None:
    run = Site(tmp_path / "site").run("-c", UNDONE)

    assert run.stdout.split() == ["True", "False", "True", "False"]
