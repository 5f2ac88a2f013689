"""The installation is not as the code expects it: a setting, a package, a table."""

import re
from typing import Final

from e2edebug.policy.error_class.evidence import Raised

NAME: Final = "configuration"

_SCHEMA_NUMBERS: Final = frozenset({1146, 1054, 1051, 1091, 1060})
_SQLITE_SCHEMA: Final = ("no such table", "no such column", "has no column named")
_NAMES: Final = (
    "ImproperlyConfigured", "AppRegistryNotReady", "ModuleNotFoundError", "ImportError", "UndefinedValueError",
    "ConfigurationError", "UndefinedTable", "UndefinedColumn", "InvalidCacheBackendError", "ConnectionDoesNotExist",
    "InvalidTemplateEngineError",
)  # fmt: skip
_SETTINGS: Final = re.compile(r"'Settings' object|'django\.conf\.global_settings'")


def matches(raised: Raised) -> bool:
    """By name, by a table or column that is missing, and by `os.environ[…]`, whose KeyError comes from os.py."""
    if raised.is_named(*_NAMES) or raised.number in _SCHEMA_NUMBERS:
        return True
    if raised.is_of_database:
        return any(words in raised.message for words in _SQLITE_SCHEMA)
    return _is_of_environment(raised) or (
        raised.is_named("AttributeError") and _SETTINGS.search(raised.message) is not None
    )


def _is_of_environment(raised: Raised) -> bool:
    return raised.is_named("KeyError") and (raised.is_from("/os.py") or raised.is_from("<frozen os>"))


def suggestion(raised: Raised) -> str:
    """By what is missing."""
    if raised.is_of_database or raised.is_named("UndefinedTable", "UndefinedColumn"):
        return (
            "The database lacks a table or column that the code uses: run `manage.py migrate` on this database (`showmigrations` "
            "tells what is missing), and migrate before the new code serves."
        )
    if raised.is_named("ModuleNotFoundError", "ImportError"):
        return (
            "A module cannot be imported: install the package that the message names into the environment of this process, "
            "and add it to the requirements; two modules that import each other give the same error."
        )
    if _is_of_environment(raised):
        return (
            f"The environment variable {raised.message or 'that the message names'} is not set for this process: set it where "
            f"the process is started (systemd unit, compose file, CI), or read it with a default."
        )
    if raised.is_named("AppRegistryNotReady"):
        return "Models were used before Django was set up: call `django.setup()` first, or import them later."
    return (
        "A setting is missing or wrong; the message names it: compare the settings of this environment with those where "
        "it works (`manage.py diffsettings`), and let `manage.py check --deploy` run before serving."
    )
