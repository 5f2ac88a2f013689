"""A cache of an application's own, for cache_program.py."""

from typing import Any

from django.core.cache.backends.locmem import LocMemCache


class OwnCache(LocMemCache):
    """Has something for what is not there."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return what is stored, else *default*, else something that it makes."""
        found = super().get(key, default, version)
        return "made of nothing" if found is None else found
