"""`manage.py check` names mistakes by ids; settings without a mistake are told nothing."""

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest
from django_app.project import APPS, MIDDLEWARE, Project

CORRELATION = "e2edebug.django.middleware.CorrelationIdMiddleware"
DEBUGGING = "e2edebug.django.middleware.DebuggingMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
GOOD = [CORRELATION, DEBUGGING, *MIDDLEWARE]
ALLOWED = ["x-correlation-id", "traceparent"]

SCENARIOS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing wrong": ({"MIDDLEWARE": GOOD}, []),
    "no middleware": ({"MIDDLEWARE": list(MIDDLEWARE)}, ["W001", "W001"]),
    "one middleware missing": ({"MIDDLEWARE": [CORRELATION, *MIDDLEWARE]}, ["W001"]),
    "the wrong order": ({"MIDDLEWARE": [DEBUGGING, CORRELATION, *MIDDLEWARE]}, ["W002"]),
    "behind the session": ({"MIDDLEWARE": [CORRELATION, *MIDDLEWARE, DEBUGGING]}, ["W002"]),
    "an alias that does not exist": ({"MIDDLEWARE": GOOD, "E2EDEBUG": {"DATABASE_ALIAS": "nowhere"}}, ["E001"]),
    "an alias that cannot be the store": ({"MIDDLEWARE": GOOD, "E2EDEBUG": {"DATABASE_ALIAS": "default"}}, ["W003"]),
    "two stores": (
        {"MIDDLEWARE": GOOD, "E2EDEBUG": {"DATABASE_ALIAS": "default", "DATABASE_URL": "sqlite:///other.sqlite3"}},
        ["E002", "W003"],
    ),
    "a router of the project": ({"MIDDLEWARE": GOOD, "DATABASE_ROUTERS": ["people.routers.Everything"]}, ["E002"]),
    "CORS hides the header": (
        {"MIDDLEWARE": [CORS, *GOOD], "CORS_EXPOSE_HEADERS": ["x-total"], "CORS_ALLOW_HEADERS": ALLOWED}, ["W005"],
    ),
    "CORS behind ours": (
        {"MIDDLEWARE": [CORRELATION, DEBUGGING, CORS, *MIDDLEWARE], "CORS_EXPOSE_HEADERS": ["x-total"],
         "CORS_ALLOW_HEADERS": ALLOWED}, [],
    ),
    "CORS refuses the header": ({"MIDDLEWARE": [CORS, *GOOD], "CORS_ALLOW_HEADERS": ["accept"]}, ["W006"]),
    "debugging in production": ({"MIDDLEWARE": GOOD, "E2EDEBUG": {"RAISE_ERRORS": True}}, ["W007"]),
}  # fmt: skip

RUN = """
    from django.core import checks
    from django.test.utils import override_settings
    results = {}
    for name, settings in SCENARIOS.items():
        with override_settings(**settings):
            if "DATABASE_ROUTERS" in settings:
                from django.db import router
                from django.db.utils import ConnectionRouter
                router.__dict__["routers"] = ConnectionRouter().routers
            found = checks.run_checks(include_deployment_checks=True)
        results[name] = sorted(one.id.removeprefix("e2edebug.") for one in found if one.id.startswith("e2edebug."))
        assert all(one.hint for one in found if one.id.startswith("e2edebug."))
    print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Scenario -> the ids that the checks name in it."""
    routers = """
        class Everything:
            def db_for_read(self, model, **hints):
                return "default"
            db_for_write = db_for_read
    """
    project = Project(tmp_path_factory.mktemp("checks") / "project", files={"people/routers.py": routers})
    scenarios = {name: settings for name, (settings, _) in SCENARIOS.items()}
    # W008, the SQLite file in production, holds in all of them and has a test of its own.
    return project.python(
        f"SCENARIOS = {scenarios!r}\n" + dedent(RUN), environ={"E2EDEBUG_ENABLED": "0", "E2EDEBUG_RAISE_ERRORS": ""}
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_mistake_has_its_id(found: dict[str, list[str]], name: str) -> None:
    assert found[name] == SCENARIOS[name][1]


def test_a_store_that_is_behind_is_named_with_the_command(
    make_project: Callable[..., Project], empty_store_url: str
) -> None:
    project = make_project(middleware=tuple(GOOD))
    environ = {"E2EDEBUG_DATABASE_URL": empty_store_url, "E2EDEBUG_ENABLED": "0", "E2EDEBUG_AUTO_MIGRATE": "0"}

    behind = project.manage("check", "--database", "default", environ=environ)
    project.manage("migrate", "--verbosity", "0", environ=environ)
    current = project.manage("check", "--database", "default", environ=environ)

    assert "(e2edebug.W004)" in behind
    assert "Run `manage.py migrate`" in behind
    assert "no issues" in current


def test_a_sqlite_file_in_production_is_named(make_project: Callable[..., Project]) -> None:
    output = make_project(middleware=tuple(GOOD)).manage("check", "--deploy")

    assert "(e2edebug.W008)" in output


def test_a_route_for_otlp_without_a_key_is_told_and_with_one_it_is_not(make_project: Callable[..., Project]) -> None:
    urls = """
        from django.urls import include, path
        urlpatterns = [path("api/v1/debugging/", include("e2edebug.django.urls"))]
    """
    apps = (*APPS, "rest_framework", "drf_spectacular")
    project = make_project(middleware=tuple(GOOD), files={"stranger/urls.py": urls}, apps=apps)

    absent = project.manage("check", "--deploy")
    present = project.manage("check", "--deploy", environ={"E2EDEBUG_INGEST_KEYS": f"server:{'0' * 64}"})

    assert "(e2edebug.I001)" in absent
    assert "ingest-key create" in absent
    assert "(e2edebug.I001)" not in present
    assert "(e2edebug.W009)" not in present
