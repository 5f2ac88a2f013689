"""The settings of the Django project in whose directory a command was typed."""

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2edebug.cli.exit_codes import UsageError
from e2edebug.runtime import django_project

_MODULE: Final = "DJANGO_SETTINGS_MODULE"
_MANAGE_PY = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""")


def load_django_settings() -> Mapping[str, object] | None:
    """Load the project's settings and return their `E2EDEBUG` dictionary; None without a project.

    The project is the one that DJANGO_SETTINGS_MODULE names, else the one of the manage.py in the working directory.
    Raises UsageError when its settings cannot be imported.
    """
    module = os.environ.get(_MODULE) or _module_of_manage_py(Path("manage.py"))
    if not module:
        return None
    try:
        from django.conf import settings
    except ImportError:
        return None
    if not settings.configured:
        os.environ[_MODULE] = module
        if os.getcwd() not in sys.path:  # noqa: PTH109  # sys.path holds text
            sys.path.insert(0, os.getcwd())  # noqa: PTH109  # the same
        with _this_process_unchanged():
            try:
                _ = settings.DATABASES
            except Exception as error:  # settings are code of the project and may raise anything
                raise UsageError(
                    f"{_MODULE}={module!r} cannot be loaded ({type(error).__name__}: {error}); "
                    "run this in the project's directory and environment, or name the store by --database URL"
                ) from error
    return django_project.e2edebug_settings()


def _module_of_manage_py(path: Path) -> str | None:
    try:
        found = _MANAGE_PY.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1] if found else None


@contextmanager
def _this_process_unchanged() -> Iterator[None]:
    """Keep what loading settings does from reaching this command.

    `import e2edebug.auto` in them must not make it a service that is observed, and Django's Settings move the process
    into the project's TIME_ZONE, while times are shown in the zone of whoever reads them.
    """
    before = {name: os.environ.get(name) for name in ("E2EDEBUG_ENABLED", "TZ")}
    os.environ["E2EDEBUG_ENABLED"] = "0"
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        time.tzset()
