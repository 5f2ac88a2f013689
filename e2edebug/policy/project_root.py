"""The folder that paths of the user's code are shown relative to."""

import os
import sys


def project_root() -> str:
    """Return Django's BASE_DIR where settings are configured, else the working directory, with `/` at its end.

    '' when there is neither: the working directory is gone, or BASE_DIR is no path. Never imports Django.
    """
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    base = None
    if settings is not None and settings.configured:  # asking an unconfigured one would configure it
        base = getattr(settings, "BASE_DIR", None)
    try:
        root = os.path.abspath(os.fspath(base) if base else os.getcwd())  # noqa: PTH100, PTH109 - keeps links as they are
    except (OSError, TypeError):
        return ""
    return root.replace(os.sep, "/").rstrip("/") + "/"
