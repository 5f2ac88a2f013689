"""The management commands of the app."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from django_app.project import Project, django_database

from e2edebug_schema.tables import configuration, performance_threshold
from e2edebug_schema.thresholds import DEFAULT_THRESHOLDS


@pytest.fixture
def project(make_project: Callable[..., Project], store_url: str, dialect: str) -> Project:
    """A project whose store is migrated: its own MariaDB, or a SQLite file elsewhere."""
    if dialect == "mariadb":
        return make_project(database=django_database(store_url))
    return make_project(settings=f'E2EDEBUG = {{"DATABASE_URL": {store_url!r}}}')


def test_defaults_are_made_once_and_never_overwrite_what_an_operator_changed(
    project: Project, engine: sa.Engine
) -> None:
    columns = performance_threshold.c
    of_queries = (columns.layer == "database") & (columns.metric_name == "response_time")

    first = project.manage("setup_debugging_defaults")
    with engine.begin() as connection:
        connection.execute(performance_threshold.update().where(of_queries).values(warning_threshold=42, enabled=False))
        connection.execute(
            configuration.update().where(configuration.c.name == "Tracing Enabled").values(enabled=False)
        )
    second = project.manage("setup_debugging_defaults")

    assert f"thresholds: {len(DEFAULT_THRESHOLDS)} created" in first
    assert f"thresholds: {len(DEFAULT_THRESHOLDS)} left as they were" in second
    with engine.connect() as connection:
        changed = connection.execute(sa.select(columns.warning_threshold, columns.enabled).where(of_queries)).one()
        assert tuple(changed) == (42, False)
        assert connection.execute(sa.select(sa.func.count()).select_from(performance_threshold)).scalar_one() == 7

    third = project.manage("setup_debugging_defaults", "--reset")

    assert f"thresholds: {len(DEFAULT_THRESHOLDS)} reset" in third
    with engine.connect() as connection:
        changed = connection.execute(sa.select(columns.warning_threshold, columns.enabled).where(of_queries)).one()
        assert tuple(changed) == (100, True)
        names = connection.execute(sa.select(configuration.c.name).where(configuration.c.enabled)).scalars().all()
    assert {"Tracing Enabled", "Performance Monitoring", "Error Logging", "Dashboard Settings"} <= set(names)


def test_the_default_configurations_change_nothing_by_themselves(project: Project, engine: sa.Engine) -> None:
    from e2edebug.policy.runtime_configuration import combine
    from e2edebug_schema.queries.configuration import configuration_rows

    project.manage("setup_debugging_defaults")

    found, refused = combine(configuration_rows(engine))
    assert refused == {}
    assert (found.is_tracing, found.sample_ratio, found.error_level, found.redact_keys) == (True, None, "debug", ())


def test_the_command_line_runs_on_the_store_of_the_project(project: Project) -> None:
    project.python("""
        from django.test import Client
        import e2edebug
        Client(raise_request_exception=False).get("/crash/")
        assert e2edebug.flush(30)
    """)

    listed = project.run("manage.py", "e2edebug", "sessions")
    wrong = project.run("manage.py", "e2edebug", "sesions")

    assert "crash" in listed.stdout, listed.stdout + listed.stderr
    assert "recording" not in listed.stderr
    assert listed.returncode == 0
    assert wrong.returncode == 2
    assert "see `e2edebug --help`" in wrong.stderr
