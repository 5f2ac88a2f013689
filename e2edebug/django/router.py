"""Every query of our models goes to the store, and nothing of the project's goes there by our alias."""

from typing import Any

from e2edebug.django.store_alias import alias_of_store
from e2edebug.policy.own_statements import STORE_ALIAS
from e2edebug.runtime import lifecycle

APP_LABEL = "debugging"


class StoreRouter:
    """A database router that has an opinion on the app `debugging` alone. The app installs it by itself."""

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        """Return the store's alias for models of ours. What a test has recorded by now is written before it looks."""
        if model._meta.app_label != APP_LABEL:
            return None
        lifecycle.write_what_tests_recorded()
        return alias_of_store()

    def db_for_write(self, model: Any, **_hints: Any) -> str | None:
        """Return the store's alias for models of ours."""
        return alias_of_store() if model._meta.app_label == APP_LABEL else None

    def allow_relation(self, one: Any, other: Any, **_hints: Any) -> bool | None:
        """Rows of ours relate to each other, and to nothing else."""
        labels = {one._meta.app_label, other._meta.app_label}
        return True if labels == {APP_LABEL} else None

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool | None:
        """Our tables are made where the store is, and only ours behind our own alias."""
        if app_label == APP_LABEL:
            return db == alias_of_store()
        return False if db == STORE_ALIAS else None
