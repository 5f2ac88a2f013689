"""When to begin: at once, or as soon as Django has its settings."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import wrapt

from e2edebug.policy.self_report import internal_error
from e2edebug.runtime import django_project, django_tests, lifecycle

_lock = threading.Lock()
_is_waiting = False


def start() -> None:
    """Initialise from the environment, now or when `django.setup()` runs. Idempotent.

    A Django project is recognised by DJANGO_SETTINGS_MODULE, by the program (manage.py, gunicorn, celery, …) or by
    Django being imported already. In any other program everything starts at once, and the project's `E2EDEBUG`
    dictionary is taken in should it set Django up later.
    Raises ConfigurationError when a setting cannot be used.
    """
    global _is_waiting
    if django_project.configured_settings() is not None or not django_project.is_expected():
        lifecycle.init()
    with _lock:
        if not _is_waiting:
            _is_waiting = True
            wrapt.register_post_import_hook(_wrap_populate, "django.apps.registry")
            django_tests.watch(lifecycle.adapt_to_tests)
            wrapt.register_post_import_hook(_watch_celery, "celery.signals")


def _watch_celery(signals: Any) -> None:
    """Begin when a worker or beat is set up: by then Django has been, in a project of Django's."""
    for name in ("celeryd_after_setup", "beat_init"):
        getattr(signals, name).connect(_begin_in_celery, weak=False, dispatch_uid="e2edebug start")


def _begin_in_celery(**_: object) -> None:
    if not lifecycle.is_initialised():
        lifecycle.init()


def _wrap_populate(registry: Any) -> None:
    wrapt.wrap_function_wrapper(registry, "Apps.populate", _populate)


def _populate(populate: Callable[..., Any], _apps: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    # Settings are configured by now, and no application has been loaded: what their ready() does is seen too.
    if lifecycle.is_initialised():
        try:
            lifecycle.adopt_django_settings()
        except Exception as error:
            if isinstance(error, lifecycle.ConfigurationError):
                raise
            internal_error("take in Django's settings", error)
    else:
        lifecycle.init()
    return populate(*arguments, **named)
