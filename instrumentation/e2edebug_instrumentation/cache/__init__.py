"""Caches: Django's cache API, and Redis and memcached spoken to directly."""
