"""django-silk with its defaults: it writes each request and each query while the request waits."""

from typing import Any

TITLE = "django-silk"
WHO = "peer"
EVERY = 4


def configure(settings: dict[str, Any]) -> None:
    settings["INSTALLED_APPS"] += ["silk"]
    settings["MIDDLEWARE"].insert(0, "silk.middleware.SilkyMiddleware")
    settings["TEMPLATES"] = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]


def begin() -> None:
    """Silk begins with its app."""


def prepare() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def flush() -> None:
    """Nothing waits: silk has written it all."""
