"""Django's test runner: what tests do is not the application's telemetry, and must not land among it.

From `setup_test_environment()` on, which Django's runner and pytest-django both call, the store is the tests' own
database if the Django app is installed (its migrations have made the tables there), and nothing is stored if not.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import wrapt

_UTILS = "django.test.utils"


def watch(take_over: Callable[[], None]) -> None:
    """Call *take_over* when a test runner sets its environment up, or now if one has. To be called once."""

    def hook(utils: Any) -> None:
        if _is_set_up(utils):
            take_over()
        wrapt.wrap_function_wrapper(utils, "setup_test_environment", set_up)

    def set_up(wrapped: Callable[..., Any], _: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        take_over()
        return wrapped(*arguments, **named)

    wrapt.register_post_import_hook(hook, _UTILS)


def is_test_environment() -> bool:
    """Whether a test runner has set its environment up in this process."""
    return _is_set_up(sys.modules.get(_UTILS))


def _is_set_up(utils: Any) -> bool:
    return hasattr(getattr(utils, "_TestState", None), "saved_data")
