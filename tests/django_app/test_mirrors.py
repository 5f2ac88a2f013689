"""The tables, Django's migrations and the models of the app describe one schema."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django_app.project import Project
from support.table_description import described

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate, revisions
from e2edebug_schema.schema_state import VERSION_TABLE
from e2edebug_schema.tables import metadata

MISSING = (
    "write the model into a file of its own in e2edebug/django/models/, name it in models/__init__.py, "
    "and run `make django-migration NAME=what_is_new`"
)

MODELS = """
    from django.apps import apps
    print(json.dumps({
        model._meta.db_table: [
            [field.column, field.null, field.max_length, field.get_internal_type(), field.primary_key]
            for field in model._meta.local_fields if field.concrete
        ]
        for model in apps.get_app_config("debugging").get_models()
    }))
"""

MIGRATE_AS_A_TEST = """
    from django.core.management import call_command
    from django.test.utils import setup_test_environment
    setup_test_environment()
    call_command("migrate", verbosity=0)
    from django.apps import apps
    print(json.dumps([model.objects.count() for model in apps.get_app_config("debugging").get_models()]))
"""

TYPES: dict[type[Any], tuple[str, ...]] = {
    sa.BigInteger: ("BigAutoField", "BigIntegerField", "ForeignKey", "OneToOneField"),
    sa.SmallInteger: ("SmallIntegerField",),
    sa.Integer: ("IntegerField",),
    sa.Boolean: ("BooleanField",),
    sa.Double: ("FloatField",),
    sa.Text: ("TextField",),
    sa.String: ("CharField",),
    sa.DateTime: ("DateTimeField",),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Table -> the columns that the app's model of it has."""
    project = Project(tmp_path_factory.mktemp("mirrors") / "project")
    return project.python(MODELS, environ={"E2EDEBUG_ENABLED": "0"})


def test_each_table_has_a_model(models: dict[str, Any]) -> None:
    assert sorted(models) == sorted(metadata.tables), MISSING


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_a_model_has_the_columns_of_its_table(models: dict[str, Any], table: sa.Table) -> None:
    """By name, order, type, length, nullability and key."""
    columns = {name: (null, length, kind, key) for name, null, length, kind, key in models[table.name]}

    assert list(columns) == table.columns.keys()
    for column in table.columns:
        null, length, kind, key = columns[column.name]
        assert kind in kinds_of(column), column.name
        assert null is column.nullable, column.name
        assert key is (column.name == "id"), column.name
        if kind == "CharField":
            assert length == column.type.length, column.name


def kinds_of(column: sa.Column[Any]) -> tuple[str, ...]:
    kind = column.type
    inner = getattr(kind, "impl_instance", kind)
    return next(names for known, names in TYPES.items() if isinstance(inner, known))


def test_djangos_migrations_lead_to_the_same_schema_as_ours(
    make_project: Callable[..., Project],
    database: str,
    database_engine: sa.Engine,
    dialect: str,
    tmp_path: Path,
    request: Any,
) -> None:
    """In a test database, which is where Django's schema editor executes the revisions on every dialect."""
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path / 'ours.sqlite3'}"
    else:
        url = request.getfixturevalue("mariadb_server").create_database()
    ours = create_store_engine(url)
    migrate(ours)

    counts = make_project(database=database).python(MIGRATE_AS_A_TEST)

    assert counts == [0] * len(metadata.tables)
    for table in [*metadata.tables, VERSION_TABLE]:
        assert described(database_engine, table) == described(ours, table)
    with database_engine.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one() == revisions()[-1]
    ours.dispose()


def test_makemigrations_finds_nothing_to_write(make_project: Callable[..., Project]) -> None:
    """A stranger's `makemigrations` must not write files into our package."""
    output = make_project().manage("makemigrations", "--check", "--dry-run", "debugging")

    assert "No changes detected" in output


def test_each_revision_of_the_store_has_a_migration(make_project: Callable[..., Project]) -> None:
    executed = make_project().python("""
        from django.db.migrations.loader import MigrationLoader
        from e2edebug.django.store_revision import ApplyStoreRevision
        found = MigrationLoader(None).disk_migrations
        print(json.dumps([
            operation.revision for key in sorted(found) if key[0] == "debugging"
            for operation in found[key].operations if isinstance(operation, ApplyStoreRevision)
        ]))
    """)

    assert executed == list(revisions()), "run `make django-migration NAME=what_is_new`"
