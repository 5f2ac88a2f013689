"""`manage.py migrate` brings the store to the newest schema, wherever it is, and touches nothing of others."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from django_app.project import Project, django_database

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import check, migrate
from e2edebug_schema.partitions import list_partitions
from e2edebug_schema.schema_state import SchemaState
from e2edebug_schema.tables import trace_step

OFF = {"E2EDEBUG_ENABLED": "0"}


def tables_of(url: str) -> set[str]:
    engine = create_store_engine(url)
    try:
        return set(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_the_tables_are_made_in_the_projects_own_mysql(
    make_project: Callable[..., Project], database: str, database_engine: sa.Engine
) -> None:
    project = make_project(database=database)

    project.manage("migrate", "--verbosity", "0")

    assert check(database_engine) is SchemaState.CURRENT
    with database_engine.connect() as connection:
        assert len(list_partitions(connection, trace_step)) > 14


def test_the_tables_are_made_in_a_database_that_is_none_of_the_projects(
    make_project: Callable[..., Project], empty_store_url: str, database_engine: sa.Engine
) -> None:
    project = make_project()

    environ = {"E2EDEBUG_DATABASE_URL": empty_store_url, "E2EDEBUG_ENABLED": "0"}
    output = project.manage("migrate", environ=environ)

    assert check(database_engine) is SchemaState.CURRENT
    assert "now has revision" in output
    assert not {name for name in tables_of(f"sqlite:///{project.folder / 'site.sqlite3'}") if "debugging" in name}
    assert project.python("""
        from e2edebug.django.models import WorkflowSession
        print(json.dumps([WorkflowSession.objects.count(), WorkflowSession.objects.db]))
    """, environ=environ) == [0, "e2edebug"]  # fmt: skip


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_the_tables_are_made_in_the_projects_second_database(
    make_project: Callable[..., Project], empty_store_url: str, database_engine: sa.Engine
) -> None:
    project = make_project(
        settings=f"""
            DATABASES["second"] = {django_database(empty_store_url)}
            E2EDEBUG = {{"DATABASE_ALIAS": "second"}}
        """
    )

    project.manage("migrate", "--verbosity", "0")
    project.manage("migrate", "--verbosity", "0", "--database", "second")

    assert check(database_engine) is SchemaState.CURRENT
    assert not {name for name in tables_of(f"sqlite:///{project.folder / 'site.sqlite3'}") if "debugging" in name}


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_migrate_after_first_use_and_after_the_command_line_changes_nothing(
    make_project: Callable[..., Project], database: str, database_engine: sa.Engine
) -> None:
    migrate(database_engine)

    project = make_project(database=database)
    project.manage("migrate", "--verbosity", "0", environ=OFF)

    assert check(database_engine) is SchemaState.CURRENT


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_going_back_to_zero_loses_nothing_and_going_forth_again_works(
    make_project: Callable[..., Project], database: str, database_engine: sa.Engine
) -> None:
    project = make_project(database=database)
    project.manage("migrate", "--verbosity", "0", environ=OFF)

    project.manage("migrate", "debugging", "zero", "--verbosity", "0", environ=OFF)
    assert check(database_engine) is SchemaState.CURRENT

    project.manage("migrate", "--verbosity", "0", environ=OFF)
    assert check(database_engine) is SchemaState.CURRENT


def test_tables_of_the_same_names_from_another_system_are_refused_before_anything_is_touched(
    make_project: Callable[..., Project], empty_store_url: str, database_engine: sa.Engine, dialect: str
) -> None:
    with database_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE debugging_error_log (id INT PRIMARY KEY, message VARCHAR(50))")
    project = make_project(database=django_database(empty_store_url) if dialect == "mariadb" else "")
    environ = {} if dialect == "mariadb" else {"E2EDEBUG_DATABASE_URL": empty_store_url}

    run = project.run("manage.py", "migrate", environ=environ | {"E2EDEBUG_EXIT_TIMEOUT_S": "1"})

    assert run.returncode == 1
    assert "has tables of another system" in run.stderr
    assert "Nothing was touched" in run.stderr
    expected = {"debugging_error_log"}
    assert tables_of(empty_store_url) == expected
    assert tables_of(f"sqlite:///{project.folder / 'site.sqlite3'}") == set()


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (
            [
                "CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app VARCHAR(255), name VARCHAR(255), applied DATETIME)",
                "INSERT INTO django_migrations VALUES (1, 'debugging', '0001_initial', '2025-01-01')",
            ],
            "migrations of another app labelled 'debugging' (0001_initial)",
        ),
        (
            [
                "CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label VARCHAR(100), model VARCHAR(100))",
                "INSERT INTO django_content_type VALUES (1, 'debugging', 'workflowsession')",
            ],
            "content types of another app labelled 'debugging' (workflowsession)",
        ),
    ],
)
def test_names_of_an_older_app_are_refused_before_anything_is_touched(
    make_project: Callable[..., Project], statements: list[str], told: str
) -> None:
    project = make_project()
    url = f"sqlite:///{project.folder / 'site.sqlite3'}"
    engine = create_store_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    before = tables_of(url)

    run = project.run("manage.py", "migrate", environ={"E2EDEBUG_ENABLED": "0"})

    assert run.returncode == 1
    assert told in run.stderr
    assert tables_of(url) == before
    assert not Path(project.folder / "e2edebug.sqlite3").exists() or not tables_of(
        f"sqlite:///{project.folder / 'e2edebug.sqlite3'}"
    )


@pytest.mark.parametrize("dialect", ["mariadb"])
def test_sqlmigrate_shows_the_statements(make_project: Callable[..., Project], database: str) -> None:
    output = make_project(database=database).manage("sqlmigrate", "debugging", "0001")

    assert "CREATE TABLE IF NOT EXISTS debugging_workflow_session" in output
    assert "PARTITION BY RANGE COLUMNS(`start_time`)" in output
