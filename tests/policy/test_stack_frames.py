"""Which files are the application's, wherever our own lie."""

import pytest

from e2edebug.policy.stack_frames import is_of_application


@pytest.mark.parametrize(
    "path",
    [
        "/home/a/src/e2edebug/django/query_counter.py",
        "/home/a/src/e2edebug/django/api/views/sessions.py",
        "/home/a/src/e2edebug/runtime/lifecycle.py",
        "/home/a/src/e2edebug/decorators.py",
        "/home/a/src/e2edebug/instrumentation/e2edebug_instrumentation/database/django_database.py",
        "/home/a/src/exporters/e2edebug_exporters/recording/tracer.py",
        "C:\\src\\e2edebug\\django\\query_counter.py",
        "/srv/.venv/lib/python3.11/site-packages/django/db/backends/utils.py",
    ],
)
def test_our_files_are_not_the_applications_also_where_a_clone_is_installed(path: str) -> None:
    assert not is_of_application(path)


@pytest.mark.parametrize(
    "path",
    [
        "/home/a/e2edebug/examples/shop/cart/models.py",  # the clone's folder is called as the package
        "/home/a/src/shop/django/views.py",
        "/home/a/src/e2edebug_shop/views.py",
    ],
)
def test_what_lies_beside_them_is(path: str) -> None:
    assert is_of_application(path)
