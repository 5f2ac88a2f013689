"""Which line a query is put down to."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from e2edebug_instrumentation.database import code_location
from e2edebug_instrumentation.database.code_location import find_code_location

SITE_PACKAGES = Path(inspect.getfile(pytest)).parents[1]


@pytest.fixture(autouse=True)
def nothing_judged_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(code_location, "_judgements", {})
    monkeypatch.chdir(tmp_path)


def calling(filename: str, function: str = "run") -> Callable[[Callable[[], Any]], Any]:
    """Return a function of the file *filename* that calls what it is given, on line 2."""
    code: CodeType = compile(f"def {function}(inner):\n    return inner()\n", filename, "exec")
    namespace: dict[str, Any] = {"__name__": Path(filename).stem}
    exec(code, namespace)
    return namespace[function]  # type: ignore[no-any-return] # made above


def called_through(*callers: Callable[[Callable[[], Any]], Any]) -> Any:
    """Return the location that is found when each caller calls the next; the last one is the innermost."""
    found: Callable[[], Any] = find_code_location
    for caller in reversed(callers):
        inner = found
        found = lambda caller=caller, inner=inner: caller(inner)  # noqa: E731 - named, it would be a frame of this file all the same
    return _from_nowhere(found)


def _from_nowhere(function: Callable[[], Any]) -> Any:
    """Call as if this test file, and pytest, were not on the stack."""
    judged = code_location._judgements
    frame = sys._getframe()
    while frame is not None:
        judged[frame.f_code.co_filename] = (code_location._MACHINERY, "")
        if frame.f_back is None:
            break
        frame = frame.f_back
    return function()


def test_the_innermost_frame_of_the_users_own_code_is_found(tmp_path: Path):
    outer, inner = calling(str(tmp_path / "shop" / "views.py"), "view"), calling(str(tmp_path / "shop" / "models.py"))
    library = calling(str(SITE_PACKAGES / "django" / "db" / "models" / "query.py"))

    location = called_through(outer, inner, library)

    assert location == ("shop/models.py", 2, "models.run")


def test_a_virtual_environment_within_the_project_is_not_the_users_code(tmp_path: Path):
    view = calling(str(tmp_path / "views.py"))
    library = calling(str(tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "shoplib" / "cart.py"))

    assert called_through(view, library).path == "views.py"


def test_the_standard_library_is_not_the_users_code(tmp_path: Path):
    view = calling(str(tmp_path / "views.py"))

    assert called_through(view, calling(inspect.getfile(inspect))).path == "views.py"


def test_without_users_code_it_is_the_library_next_to_the_database_layer():
    view = calling(str(SITE_PACKAGES / "rest_framework" / "generics.py"))
    pages = calling(str(SITE_PACKAGES / "rest_framework" / "pagination.py"), "paginate")
    query = calling(str(SITE_PACKAGES / "django" / "db" / "models" / "query.py"))

    assert called_through(view, pages, query) == ("rest_framework/pagination.py", 2, "pagination.paginate")


def test_what_called_the_view_did_not_cause_its_queries(tmp_path: Path):
    middleware = calling(str(tmp_path / "middleware.py"))
    handler = calling(str(SITE_PACKAGES / "django" / "core" / "handlers" / "base.py"), "_get_response")
    view = calling(str(SITE_PACKAGES / "django" / "views" / "generic" / "list.py"), "get")

    assert called_through(middleware, handler, view) == ("django/views/generic/list.py", 2, "list.get")
    assert called_through(middleware, view) == ("middleware.py", 2, "middleware.run")


def test_the_path_is_relative_to_the_project_and_absolute_outside_of_it(tmp_path: Path):
    elsewhere = tmp_path.parent / "elsewhere.py"

    assert called_through(calling(str(elsewhere))).path == str(elsewhere)


def test_code_that_was_typed_in_is_the_users_and_generated_code_is_not(tmp_path: Path):
    typed, generated = calling("<stdin>"), calling("<attrs generated init shop.Cart>")

    assert called_through(typed, generated).path == "<stdin>"


def test_with_nothing_but_database_layer_there_is_no_location():
    assert called_through(calling(str(SITE_PACKAGES / "sqlalchemy" / "engine" / "base.py"))) is None


def test_a_deep_recursion_is_given_up(tmp_path: Path):
    view = calling(str(tmp_path / "views.py"))
    tag = calling(str(SITE_PACKAGES / "django" / "db" / "models" / "query.py"))

    assert called_through(view, *[tag] * 300) is None
