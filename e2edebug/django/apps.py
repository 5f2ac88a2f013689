"""The app's entry: what happens when Django loads `e2edebug.django`."""

import os
import sys

from django.apps import AppConfig
from django.conf import settings
from django.db import router
from django.db.models.signals import post_migrate, pre_migrate
from django.db.utils import ConnectionRouter

from e2edebug.alerts import background
from e2edebug.runtime import django_tests, lifecycle, startup

_OWN_COMMANDS = (["e2edebug"], ["evaluate_thresholds"], ["prune"], ["setup_debugging_defaults"])
"""They read and tend the store; recording them would tell of nothing but ourselves."""

_ROUTER = "e2edebug.django.router.StoreRouter"


class DebuggingConfig(AppConfig):
    """`INSTALLED_APPS += ["e2edebug.django"]`."""

    name = "e2edebug.django"
    label = "debugging"
    verbose_name = "E2E Workflow Debugging System"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Begin to record, and make the store reachable for the models."""
        from e2edebug.django import checks, store_migration
        from e2edebug.django.store_alias import forget_store_alias, register_store_alias
        from e2edebug.django.writing_in_tests import make_sink

        lifecycle.write_in_tests_by(make_sink)
        django_tests.watch(forget_store_alias)
        if not django_tests.is_test_environment():
            register_store_alias()
        _install_router()
        pre_migrate.connect(store_migration.before_migrating, sender=self, dispatch_uid="e2edebug")
        post_migrate.connect(store_migration.after_migrating, sender=self, dispatch_uid="e2edebug")
        lifecycle.when_begun(background.begin)
        checks.register()
        if not (_is_reloader() or sys.argv[1:2] in _OWN_COMMANDS):
            startup.start()


def _install_router() -> None:
    """First, because a project's own router may have an opinion on every app."""
    if _ROUTER not in settings.DATABASE_ROUTERS:
        settings.DATABASE_ROUTERS = [_ROUTER, *settings.DATABASE_ROUTERS]
        # Django reads the setting once; whoever has asked it before us has the old list.
        router.__dict__["routers"] = ConnectionRouter().routers


def _is_reloader() -> bool:
    """Whether this process only watches files: `runserver` serves from a child, which has RUN_MAIN."""
    return sys.argv[1:2] == ["runserver"] and "--noreload" not in sys.argv and os.environ.get("RUN_MAIN") != "true"
