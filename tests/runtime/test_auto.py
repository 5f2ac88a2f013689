"""`import e2edebug.auto` in a real Django project: one line, one URL, rows."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.mariadb import MariaDBServer
from support.site import Site

AUTO = "import e2edebug.auto"
GET = """
import io, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_project.settings")
from site_project.wsgi import application
def get(path, **headers):
    from wsgiref.util import setup_testing_defaults
    environ = {"PATH_INFO": path, **{"HTTP_" + name: value for name, value in headers.items()}}
    setup_testing_defaults(environ)
    seen = []
    b"".join(application(environ, lambda status, response_headers: seen.append((status, dict(response_headers)))))
    return seen[0]
"""
CLIENT = "from django.test import Client; assert Client().get('/users/').status_code == 200"


def rows(url: str, query: str) -> list[tuple]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("wsgi_top", ("-c", GET + "get('/users/')")),
        ("settings_top", ("-c", GET + "get('/users/')")),
        ("settings_bottom", ("-c", GET + "get('/users/')")),
        ("settings_top", ("manage.py", "shell", "-v", "0", "-c", CLIENT)),
        ("manage_top", ("manage.py", "shell", "-v", "0", "-c", CLIENT)),
    ],
)
def test_requests_are_stored_wherever_the_line_stands(place, command, tmp_path):
    site = Site(tmp_path / "site", {place: AUTO})
    url = f"sqlite:///{tmp_path / 'telemetry.sqlite3'}"

    run = site.run(*command, environ={"E2EDEBUG_DATABASE_URL": url})

    assert "recording site_project into sqlite:///" in run.stderr
    assert rows(url, "SELECT service, root_operation, status, query_count FROM debugging_workflow_session") == [
        ("site_project", "GET /users/", "completed", 1)
    ]
    assert rows(
        url,
        "SELECT s.layer, s.component, s.operation, p.component FROM debugging_trace_step s"
        " LEFT JOIN debugging_trace_step p ON p.span_id = s.parent_span_id"
        " WHERE s.layer = 'api' OR s.operation = 'SELECT' ORDER BY s.layer",
    ) == [("api", "users", "get", None), ("database", "auth_user", "SELECT", "users")]


def test_the_same_on_each_store(empty_store_url, tmp_path):
    site = Site(tmp_path / "site", {"wsgi_top": AUTO})

    run = site.run(
        "-c",
        GET + "print(get('/users/', X_CORRELATION_ID='from-the-browser'))\nprint(get('/crash/'), get('/missing/7/'))",
        environ={"E2EDEBUG_DATABASE_URL": empty_store_url},
    )

    assert "'X-Correlation-ID': 'from-the-browser'" in run.stdout
    assert rows(
        empty_store_url,
        "SELECT root_operation, status, error_count FROM debugging_workflow_session ORDER BY root_operation",
    ) == [
        ("GET /crash/", "failed", 1),
        ("GET /missing/<int:pk>/", "completed", 0),
        ("GET /users/", "completed", 0),
    ]
    ((kind, message, component),) = rows(
        empty_store_url, "SELECT error_type, error_message, component FROM debugging_error_log"
    )
    assert (kind, component) == ("ValueError", "crash")
    assert "4111" not in message
    assert rows(empty_store_url, "SELECT status FROM debugging_error_group") == [("unresolved",)]
    measured = rows(
        empty_store_url,
        "SELECT layer, component, count, error_count FROM debugging_performance_snapshot"
        " WHERE metric_name = 'response_time' AND layer = 'api' ORDER BY component",
    )
    assert measured == [("api", "crash", 1, 1), ("api", "missing", 1, 0), ("api", "users", 1, 0)]


def test_a_mysql_project_needs_no_url(mariadb_server: MariaDBServer, tmp_path: Path):
    url = mariadb_server.create_database()
    parts = sa.make_url(url)
    databases = repr(
        {
            "default": {
                "ENGINE": "django.db.backends.mysql",
                "NAME": parts.database,
                "USER": parts.username,
                "PASSWORD": parts.password,
                "HOST": parts.host,
                "PORT": parts.port,
            }
        }
    )
    pymysql_line = "import pymysql; pymysql.install_as_MySQLdb()"
    site = Site(tmp_path / "site", {"settings_top": pymysql_line, "settings_bottom": AUTO}, databases=databases)

    run = site.run("-c", GET + "get('/users/')")

    assert "(Django database 'default')" in run.stderr
    assert parts.password not in run.stderr
    assert rows(url, "SELECT query_count FROM debugging_workflow_session") == [(1,)]
    mariadb_server.drop_database(url)


def test_a_sqlite_project_gets_a_file_beside_its_own(tmp_path):
    site = Site(tmp_path / "site", {"wsgi_top": AUTO})

    run = site.run("-c", GET + "get('/users/')")

    assert f"into {site.folder / 'e2edebug.sqlite3'} (no E2EDEBUG_DATABASE_URL is set)" in run.stderr
    names = {
        name for (name,) in sqlite3.connect(site.folder / "site.sqlite3").execute("SELECT name FROM sqlite_master")
    }
    assert not {name for name in names if name.startswith("debugging_")}


def test_settings_may_stand_in_djangos_settings(tmp_path):
    url = f"sqlite:///{tmp_path / 'named-in-settings.sqlite3'}"
    site = Site(
        tmp_path / "site",
        {"wsgi_top": AUTO, "settings_bottom": f'E2EDEBUG = {{"DATABASE_URL": {url!r}, "SERVICE_NAME": "the shop"}}'},
    )

    run = site.run("-c", GET + "get('/users/')")

    assert "recording the shop into" in run.stderr
    assert rows(url, "SELECT service FROM debugging_workflow_session") == [("the shop",)]


def test_a_program_that_sets_django_up_later_keeps_its_settings_too(tmp_path):
    url = f"sqlite:///{tmp_path / 'late.sqlite3'}"
    site = Site(tmp_path / "site", {"settings_bottom": f'E2EDEBUG = {{"DATABASE_URL": {url!r}, "BATCH_MAX_ITEMS": 7}}'})
    (site.folder / "report.py").write_text(
        f"{AUTO}\nimport os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'site_project.settings'\n"
        "import django; django.setup()\nfrom e2edebug import workflow\n"
        "from django.contrib.auth.models import User\n"
        "with workflow('report'):\n    User.objects.count()\n"
    )

    run = site.run("report.py")

    assert rows(url, "SELECT workflow_type, query_count FROM debugging_workflow_session") == [("report", 1)]
    assert "comes too late for BATCH_MAX_ITEMS" in run.stderr


@pytest.mark.parametrize(("arguments", "status"), [((), "completed"), (("--fail",), "failed")])
def test_a_management_command_is_one_workflow(arguments, status, tmp_path):
    site = Site(tmp_path / "site", {"manage_top": AUTO})

    site.run_unchecked("manage.py", "count_users", *arguments)

    url = f"sqlite:///{site.folder / 'e2edebug.sqlite3'}"
    assert rows(
        url,
        "SELECT workflow_type, root_operation, status, query_count, repeat_count FROM debugging_workflow_session",
    ) == [("command", "manage.py count_users", status, 3, 3)]


def test_a_wrong_setting_stops_the_start_and_names_itself(tmp_path):
    site = Site(tmp_path / "site", {"wsgi_top": AUTO})

    run = site.run_unchecked("-c", GET, environ={"E2EDEBUG_FLUSH_INTERVAL_S": "abc"})

    assert run.returncode == 1
    assert "ConfigurationError: E2EDEBUG_FLUSH_INTERVAL_S='abc' is not a number of seconds" in run.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("E2EDEBUG_ENABLED", "0", "nothing is recorded, because enabled is off (environment)"),
        ("OTEL_SDK_DISABLED", "true", "nothing is recorded, because OTEL_SDK_DISABLED is set"),
    ],
)
def test_switched_off_it_says_why_and_leaves_no_trace(variable, value, said, tmp_path):
    site = Site(tmp_path / "site", {"wsgi_top": AUTO})

    run = site.run("-c", GET + "get('/missing/1/')", environ={variable: value})

    assert said in run.stderr
    assert not (site.folder / "e2edebug.sqlite3").exists()


@pytest.mark.parametrize(
    "url",
    [
        "mysql+pymysql://nobody:hidden@127.0.0.1:1/telemetry",
        "sqlite:////proc/nowhere/store.sqlite3",
    ],
)
def test_an_unreachable_store_costs_the_request_nothing(url, tmp_path):
    site = Site(tmp_path / "site", {"wsgi_top": AUTO})
    code = (
        GET + "print(get('/users/')[0])\nimport e2edebug\ne2edebug.flush(0.5)\nbooks = e2edebug.stats()\n"
        "assert books['emitted'] == books['queued'] + sum(books['dropped'].values()), books\n"
        "assert books['queued'] > 0 and books['last_error'], books\nassert 'hidden' not in str(books)\n"
    )

    run = site.run("-c", code, environ={"E2EDEBUG_DATABASE_URL": url, "E2EDEBUG_EXIT_TIMEOUT_S": "0.2"})

    assert run.stdout.startswith("200 OK")
    assert "hidden" not in run.stderr


def test_importing_it_again_changes_nothing(tmp_path):
    site = Site(tmp_path / "site", {"settings_top": AUTO, "wsgi_top": AUTO, "settings_bottom": AUTO})

    site.run("-c", GET + "import importlib, e2edebug.auto; importlib.reload(e2edebug.auto)\nget('/users/')")

    url = f"sqlite:///{site.folder / 'e2edebug.sqlite3'}"
    assert rows(url, "SELECT layer, COUNT(*) FROM debugging_trace_step WHERE operation IN ('get', 'SELECT') GROUP BY 1 ORDER BY 1") == [
        ("api", 1),
        ("database", 1),
    ]  # fmt: skip


def test_under_djangos_test_runner_nothing_is_stored_and_capture_still_works(mariadb_server, tmp_path):
    url = mariadb_server.create_database()
    site = Site(tmp_path / "site", {"settings_bottom": AUTO})
    (site.folder / "site_project" / "tests.py").write_text(
        "from django.contrib.auth.models import User\nfrom django.test import TestCase\nimport e2edebug.testing\n"
        "class Users(TestCase):\n"
        "    def test_they_are_counted(self):\n"
        "        with e2edebug.testing.capture() as captured, self.assertNumQueries(1):\n"
        "            self.client.get('/users/')\n"
        "        self.assertEqual(captured.tree(), 'api users get\\n  database auth_user SELECT\\n')\n"
    )

    run = site.run("manage.py", "test", environ={"E2EDEBUG_DATABASE_URL": url})

    assert "under Django's test runner nothing is stored" in run.stderr
    assert "OK" in run.stderr
    assert rows(url, "SHOW TABLES") == []
    mariadb_server.drop_database(url)


def test_a_script_in_a_project_is_named_after_it(tmp_path):
    site = Site(tmp_path / "site")

    run = site.run("-c", f"{AUTO}\nfrom e2edebug import workflow\nwith workflow('report'): pass")

    assert "recording site_project into" in run.stderr
    url = f"sqlite:///{site.folder / 'e2edebug.sqlite3'}"
    assert rows(url, "SELECT service FROM debugging_workflow_session") == [("site_project",)]


@pytest.mark.parametrize(
    ("sampler", "argument", "said"),
    [
        ("traceidratio", "0.25", "TraceIdRatioBased{0.25} decides which traces are kept"),
        ("always_on", "", "; every trace is kept"),
        ("sometimes", "", "; every trace is kept"),
    ],
)
def test_the_start_says_which_traces_are_kept(sampler, argument, said, tmp_path):
    site = Site(tmp_path / "site")

    run = site.run("-c", AUTO, environ={"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})

    assert said in run.stderr


def test_a_password_with_an_at_sign_is_never_shown(tmp_path):
    site = Site(tmp_path / "site")
    code = f"{AUTO}\nimport e2edebug\nfrom e2edebug import workflow\nwith workflow('x'): pass\ne2edebug.flush(1)\nprint(e2edebug.stats())"

    run = site.run(
        "-c",
        code,
        environ={"E2EDEBUG_DATABASE_URL": "mysql+pymysql://joe:p@sesame@127.0.0.1:1/x", "E2EDEBUG_EXIT_TIMEOUT_S": "1"},
    )

    assert "sesame" not in run.stdout + run.stderr
    assert "write it as %40" in run.stdout
