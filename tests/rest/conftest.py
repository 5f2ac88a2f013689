"""One project for the whole run, and one server for each dialect; tests keep apart by the ids that they use."""

from collections.abc import Iterator
from typing import Any

import pytest
from django_app.project import Project
from rest.api_project import Client, Site, api_project, served

from e2edebug_schema.engine import create_store_engine
from e2edebug_schema.migrate import migrate


@pytest.fixture(scope="session")
def rest_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the API and its users."""
    return api_project(tmp_path_factory.mktemp("rest") / "project")


@pytest.fixture(scope="session")
def _sqlite_site(rest_project: Project) -> Iterator[Site]:
    yield from _site(rest_project, f"sqlite:///{rest_project.folder / 'store.sqlite3'}")


@pytest.fixture(scope="session")
def _mariadb_site(rest_project: Project, mariadb_server: Any) -> Iterator[Site]:
    url = mariadb_server.create_database()
    yield from _site(rest_project, url)
    mariadb_server.drop_database(url)


@pytest.fixture
def site(dialect: str, request: pytest.FixtureRequest) -> Site:
    """The served project with its store on the dialect under test."""
    found: Site = request.getfixturevalue(f"_{dialect}_site")
    return found


@pytest.fixture
def client(site: Site) -> Client:
    """A client that asks as a superuser."""
    return site.client


def _site(project: Project, url: str) -> Iterator[Site]:
    engine = create_store_engine(url)
    migrate(engine)
    environ = {"E2EDEBUG_DATABASE_URL": url}
    with served(project, environ=environ) as client:
        yield Site(client, engine, project, environ)
    engine.dispose()
