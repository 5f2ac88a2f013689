"""What a stranger's tests see of what their requests record, and that each test undoes it."""

from collections.abc import Callable
from pathlib import Path

from django_app.project import APPS, Project

TESTS = """
    from django.test import SimpleTestCase, TestCase, TransactionTestCase
    from e2edebug.django.models import ErrorLog, TraceStep, WorkflowSession

    class InATransaction(TestCase):
        def test_rows_are_there_at_once_with_their_relations(self):
            self.client.get("/people/")
            session = WorkflowSession.objects.get()
            steps = sorted(step.operation for step in session.trace_steps.all())
            assert steps == ["INSERT", "SELECT", "get"], steps
            assert session.step_count == 3, session.step_count
            with self.assertRaises(ValueError):
                self.client.get("/crash/")
            error = ErrorLog.objects.get()
            assert error.workflow_session.status == "failed"
            assert error.error_group.occurrences == 1

        def test_rows_of_another_test_are_gone(self):
            assert WorkflowSession.objects.count() == 0

        def test_the_number_of_queries_is_the_applications(self):
            with self.assertNumQueries(2):
                self.client.get("/people/")
            assert WorkflowSession.objects.count() == 1

        def test_the_tests_own_queries_are_no_workflows(self):
            from people.models import Person
            Person.objects.create(name="Grace")
            assert WorkflowSession.objects.count() == 0

        async def test_an_asynchronous_client_records_too(self):
            await self.async_client.get("/people/")
            assert await WorkflowSession.objects.acount() == 1

        def test_a_broken_transaction_stays_the_tests_own_matter(self):
            from django.db import IntegrityError, transaction
            from people.models import Person
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                self.client.get("/people/")
                1 / 0
            assert Person.objects.count() == 0

    class WithoutATransaction(TransactionTestCase):
        def test_rows_are_there(self):
            self.client.get("/people/")
            assert WorkflowSession.objects.count() == 1

        def test_rows_of_another_test_are_gone(self):
            assert WorkflowSession.objects.count() == 0

    class WithoutADatabase(SimpleTestCase):
        def test_nothing_happens(self):
            with self.assertRaises(ValueError):
                self.client.get("/crash/")
"""

PYTEST_INI = "[pytest]\nDJANGO_SETTINGS_MODULE = stranger.settings\npython_files = tests.py\n"


def test_djangos_runner(make_project: Callable[..., Project], database: str) -> None:
    project = make_project(database=database, files={"people/tests.py": TESTS})

    output = project.manage("test", "--noinput")

    assert "Ran 9 tests" in output
    assert "each test finds what it records in its own database" in output


def test_pytest_django(make_project: Callable[..., Project], database: str) -> None:
    project = make_project(database=database, files={"people/tests.py": TESTS, "pytest.ini": PYTEST_INI})

    run = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "people/tests.py")

    assert "9 passed" in run.stdout, run.stdout + run.stderr


def test_tests_without_migrations_store_nothing_and_pass(make_project: Callable[..., Project]) -> None:
    """`--nomigrations` makes no tables for unmanaged models."""
    tests = """
        import pytest

        @pytest.mark.django_db
        def test_a_request(client):
            assert client.get("/people/").status_code == 200
    """
    project = make_project(files={"people/tests.py": tests, "pytest.ini": PYTEST_INI})

    run = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nomigrations", "people/tests.py")

    assert "1 passed" in run.stdout, run.stdout + run.stderr


def test_without_the_app_nothing_is_stored_and_one_line_says_so(make_project: Callable[..., Project]) -> None:
    tests = """
        from django.test import TestCase

        class T(TestCase):
            def test_a_request(self):
                assert self.client.get("/people/").status_code == 200
    """
    apps = tuple(app for app in APPS if app != "e2edebug.django")
    project = make_project(apps=apps, files={"people/tests.py": tests}, settings="import e2edebug.auto")

    output = project.manage("test", "--noinput")

    assert "under Django's test runner nothing is stored" in output
    assert not (project.folder / "e2edebug.sqlite3").exists()


def test_the_tests_leave_the_store_of_the_application_alone(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    store = tmp_path / "elsewhere.sqlite3"
    project = make_project(files={"people/tests.py": TESTS})

    output = project.manage("test", "--noinput", environ={"E2EDEBUG_DATABASE_URL": f"sqlite:///{store}"})

    assert "Ran 9 tests" in output
    assert not store.exists()
    assert not (project.folder / "e2edebug.sqlite3").exists()
