"""Django is configured once per process, so what is tested here runs in projects of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from django_app.project import Project, django_database

from e2edebug_schema.engine import create_store_engine


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """Return a function that writes a project with the app installed: `make_project(settings="USE_TZ = False")`."""

    def make(**parts: str) -> Project:
        return Project(tmp_path / "project", **parts)

    return make


@pytest.fixture
def database(dialect: str, empty_store_url: str) -> str:
    """An empty database of the dialect under test as an entry of Django's DATABASES, in Python's spelling."""
    return django_database(empty_store_url)


@pytest.fixture
def database_engine(empty_store_url: str) -> Iterator[sa.Engine]:
    """An engine of ours on the same database."""
    engine = create_store_engine(empty_store_url)
    yield engine
    engine.dispose()
