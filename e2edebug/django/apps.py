"""The app's entry: what happens when Django loads `e2edebug.django`."""

from django.apps import AppConfig
from django.conf import settings
from django.db import router

from e2edebug.runtime import django_tests

_ROUTER = "e2edebug.django.router.StoreRouter"


class DebuggingConfig(AppConfig):
    """`INSTALLED_APPS += ["e2edebug.django"]`."""

    name = "e2edebug.django"
    label = "debugging"
    verbose_name = "E2E Workflow Debugging System"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the store's alias and its router."""
        from e2edebug.django.store_alias import forget_store_alias, register_store_alias

        if django_tests.is_test_environment():
            forget_store_alias()
        else:
            register_store_alias()
        _install_router()


def _install_router() -> None:
    """First, because a project's own router may have an opinion on every app."""
    if _ROUTER not in settings.DATABASE_ROUTERS:
        settings.DATABASE_ROUTERS = [_ROUTER, *settings.DATABASE_ROUTERS]
        # Django reads the setting once; whoever has asked it before us has the old list.
        router.__dict__.pop("routers", None)
