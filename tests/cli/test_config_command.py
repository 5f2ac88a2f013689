"""`e2edebug config`, and which settings the commands obey."""

import json
from pathlib import Path

import pytest
from cli.command import CommandLine, run_process
from cli.stored_workflows import store_checkout

from e2edebug.policy.config import SETTINGS
from e2edebug_schema.engine import create_store_engine

SETTINGS_MODULE = """\
import e2edebug.auto
SECRET_KEY = "x"
DATABASES = {"default": {"ENGINE": "django.db.backends.mysql", "NAME": "shop", "USER": "web", "PASSWORD": "hunter2"}}
E2EDEBUG = {"FLUSH_INTERVAL_S": 5}
"""
MANAGE_PY = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop_settings")\n'


def test_every_setting_is_shown_with_its_source(e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EDEBUG_FLUSH_INTERVAL_S", "2.5")
    monkeypatch.setenv("E2EDEBUG_DATABASE_URL", "mysql+pymysql://web:hunter2@db/shop")
    monkeypatch.setenv("E2EDEBUG_WORKFLOW_RULES", "POST /pay/=checkout")

    outcome = e2edebug("config")

    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines() if line}
    assert outcome.code == 0
    assert rows.keys() == {setting.variable for setting in SETTINGS} | {"store"}
    assert rows["E2EDEBUG_FLUSH_INTERVAL_S"] == ["2.5", "environment"]
    assert rows["E2EDEBUG_DATABASE_URL"] == ["mysql+pymysql://web:***@db/shop", "environment"]
    assert rows["E2EDEBUG_WORKFLOW_RULES"] == ["POST", "/pay/=checkout", "environment"]
    assert rows["E2EDEBUG_RELEASE"] == ["-", "default"]
    assert "hunter2" not in outcome.out


def test_the_settings_are_there_as_json(e2edebug: CommandLine) -> None:
    outcome = e2edebug("config", "--json", "--database", "mysql+pymysql://web:hunter2@db/shop")

    shown = {one["field"]: one for one in json.loads(outcome.out)["settings"]}
    assert (shown["database_url"]["value"], shown["database_url"]["source"]) == (
        "mysql+pymysql://web:***@db/shop",
        "argument",
    )
    assert "hunter2" not in outcome.out


def test_every_wrong_setting_is_a_line_of_its_own(e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EDEBUG_FLUSH_INTERVAL_S", "abc")
    monkeypatch.setenv("E2EDEBUG_ENABLED", "perhaps")

    outcome = e2edebug("config")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "e2edebug: E2EDEBUG_ENABLED='perhaps' is not true or false\n"
        "e2edebug: E2EDEBUG_FLUSH_INTERVAL_S='abc' is not a number of seconds\n"
    )


def test_a_wrong_database_option_is_named_as_it_was_typed(e2edebug: CommandLine) -> None:
    outcome = e2edebug("sessions", "--database", "postgres://web:hunter2@db/shop")

    assert outcome.code == 2
    assert outcome.err.startswith("e2edebug: --database 'postgres://web:***@db/shop' is not a database URL such as ")


def test_an_unknown_variable_is_pointed_out(e2edebug: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EDEBUG_FLUSH_INTERVALL_S", "1")

    assert "did you mean E2EDEBUG_FLUSH_INTERVAL_S?" in e2edebug("config").out


@pytest.mark.parametrize("named_by", ["manage.py", "environment"])
def test_a_django_project_in_the_directory_gives_its_settings_and_its_database(tmp_path: Path, named_by: str) -> None:
    (tmp_path / "shop_settings.py").write_text(SETTINGS_MODULE)
    (tmp_path / "manage.py").write_text(MANAGE_PY if named_by == "manage.py" else "")
    environ = {"DJANGO_SETTINGS_MODULE": "shop_settings"} if named_by == "environment" else {}

    done = run_process("config", cwd=tmp_path, environ=environ)

    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert (done.returncode, done.stderr) == (0, "")
    assert rows["store"][0] == "mysql+pymysql://web:***@localhost/shop"
    assert rows["E2EDEBUG_FLUSH_INTERVAL_S"] == ["5", "django", "settings"]
    assert rows["E2EDEBUG_ENABLED"] == ["true", "default"]


@pytest.mark.parametrize(
    ("module", "environ", "expected"),
    [
        ("shop_settings", {}, "shop_settings"),
        ("shop_settings", {"OTEL_SERVICE_NAME": "named"}, "named"),
        ("settings", {}, "my-shop"),
    ],
)
def test_the_name_of_the_service_is_the_one_that_the_site_will_use(
    tmp_path: Path, module: str, environ: dict[str, str], expected: str
) -> None:
    project = tmp_path / "my-shop"
    project.mkdir()
    (project / f"{module}.py").write_text(SETTINGS_MODULE)

    done = run_process("config", "--json", cwd=project, environ=environ | {"DJANGO_SETTINGS_MODULE": module})

    shown = {one["field"]: one["value"] for one in json.loads(done.stdout)["settings"]}
    assert shown["service_name"] == expected


def test_settings_that_cannot_be_loaded_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop_settings.py").write_text("import nothing_of_that_name")

    done = run_process("sessions", cwd=tmp_path, environ={"DJANGO_SETTINGS_MODULE": "shop_settings"})

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No module named 'nothing_of_that_name'" in done.stderr


def test_a_named_database_needs_no_project(tmp_path: Path) -> None:
    (tmp_path / "shop_settings.py").write_text("import nothing_of_that_name")

    done = run_process(
        "migrate",
        "--database",
        "sqlite:///x.sqlite3",
        cwd=tmp_path,
        environ={"DJANGO_SETTINGS_MODULE": "shop_settings"},
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_times_stay_in_the_readers_zone_whatever_zone_the_project_is_in(store_url: str, tmp_path: Path) -> None:
    engine = create_store_engine(store_url)
    store_checkout(engine)
    engine.dispose()
    (tmp_path / "shop_settings.py").write_text(
        f"SECRET_KEY = 'x'\nTIME_ZONE = 'Asia/Tokyo'\nE2EDEBUG = {{'DATABASE_URL': {store_url!r}}}"
    )

    done = run_process("sessions", cwd=tmp_path, environ={"DJANGO_SETTINGS_MODULE": "shop_settings", "TZ": "UTC"})

    assert (done.returncode, done.stderr) == (0, "")
    assert "2026-11-23 10:04:05" in done.stdout
