"""What the Django project around us says of itself. Nothing here imports Django into a program that does not use it,
and nothing touches settings that are not configured yet: either breaks the project (reference: Django
instrumentation, "where to call")."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from e2edebug.policy.config import DEFAULT, UNKNOWN_SERVICE, Config

_GENERIC_NAMES = {"config", "conf", "core", "project", "settings", "django_project"}
"""Settings packages whose name says nothing of the project."""

_SERVERS = {
    "celery", "daphne", "django-admin", "granian", "gunicorn", "hypercorn", "manage.py", "uvicorn", "uwsgi",
    "waitress-serve",
}  # fmt: skip
"""Programs that load a Django project later than our import runs."""

_PROJECT_FILES = {"asgi.py", "manage.py", "settings.py", "wsgi.py"}


def configured_settings() -> Any | None:
    """Return Django's settings if this process has them configured by now, else None."""
    conf = sys.modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    return settings if settings is not None and settings.configured else None


def e2edebug_settings() -> Mapping[str, object] | None:
    """Return the project's `E2EDEBUG` dictionary, None where there is none (yet)."""
    return getattr(configured_settings(), "E2EDEBUG", None)


def is_expected() -> bool:
    """Whether this process shows that it is going to set a Django project up, though it has not done so yet."""
    if "DJANGO_SETTINGS_MODULE" in os.environ or _is_django_imported() or _is_imported_by_a_project():
        return True
    program = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else ""
    if program == "__main__.py":  # python -m gunicorn
        program = Path(sys.argv[0]).parent.name
    return program in _SERVERS


def _is_django_imported() -> bool:
    # kombu, below Celery, imports a bit of any Django that is installed, for the sake of its lazy texts.
    return "django" in sys.modules and ("kombu" not in sys.modules or "django.conf" in sys.modules)


def _is_imported_by_a_project() -> bool:
    """Whether `import e2edebug.auto` stands in a file that belongs to every Django project."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.name in _PROJECT_FILES or path.parent.name == "settings":
            return True
        frame = frame.f_back
    return False


def with_project_name(config: Config) -> Config:
    """Return *config* with the project's name where nobody named the service."""
    if config.sources.get("service_name") != DEFAULT:
        return config
    return replace(config, service_name=project_name() or UNKNOWN_SERVICE)


def project_name() -> str | None:
    """Return what the project calls itself: the package of its settings, or its folder where that is a generic name.

    A project that is not set up (yet) is known by the manage.py in the working directory. None without a project.
    """
    settings = configured_settings()
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or str(getattr(settings, "ROOT_URLCONF", "") or "")
    module = module or _settings_module_of_manage_py()
    package = module.partition(".")[0]
    if package and package not in _GENERIC_NAMES:
        return package
    return (project_folder().name or None) if module else None


def _settings_module_of_manage_py() -> str:
    try:
        text = Path("manage.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.search(r"DJANGO_SETTINGS_MODULE[\"'],\s*[\"']([\w.]+)[\"']", text)
    return found[1] if found else ""


def project_folder() -> Path:
    """Return the folder of the project: `BASE_DIR`, else the working directory."""
    base = getattr(configured_settings(), "BASE_DIR", None)
    return Path(base) if base else Path.cwd()
