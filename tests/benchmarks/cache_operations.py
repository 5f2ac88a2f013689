"""What a cache operation costs with our instrumentation, beside OpenTelemetry's for the client below the cache.

`make bench ARGS=cache_operations`. needs redis-server and memcached.
"""

import tempfile
from pathlib import Path
from typing import Any

import pymemcache
import redis
from benchmarks.paired_cost import compare, instrumented, own_provider, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry.instrumentation.pymemcache import PymemcacheInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from support.cache_servers import memcached_server, redis_server

from e2edebug_instrumentation.cache import direct_commands
from e2edebug_instrumentation.cache.django_cache import DjangoCacheInstrumentor

EXPLANATION = """\
A value is read from Redis and from memcached, through Django's cache API and by their clients alone, within a request.
The peer is OpenTelemetry's instrumentor for the client, which for Django's caches stands one layer below ours. CPU time
of one operation, servers not included; the spans are made and forgotten, so this is what the caller pays.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    stock, own = stock_provider(), own_provider()
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as redis_port, memcached_server() as port:
        import django
        from django.conf import settings

        backends = "django.core.cache.backends"
        settings.configure(
            CACHES={
                "default": {"BACKEND": f"{backends}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{redis_port}"},
                "memcached": {"BACKEND": f"{backends}.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{port}"},
            }
        )
        django.setup()
        from django.core.cache import caches

        client, memcached = redis.Redis(port=redis_port), pymemcache.Client(("127.0.0.1", port))
        memcached.set("user:17:cart", "three tents")
        for one in (caches["default"], caches["memcached"], client):
            one.set("user:17:cart", "three tents")

        def repeated(action: Any) -> Any:
            def operation(count: int) -> None:
                for _ in range(count):
                    action("user:17:cart")

            return operation

        pairs: list[tuple[str, Any, Any, Any]] = [
            ("Django's Redis cache, get", caches["default"].get, RedisInstrumentor(), DjangoCacheInstrumentor()),
            ("Django's memcached, get", caches["memcached"].get, PymemcacheInstrumentor(), DjangoCacheInstrumentor()),
            ("redis-py, GET", client.get, RedisInstrumentor(), direct_commands.RedisInstrumentor()),
            ("pymemcache, get", memcached.get, PymemcacheInstrumentor(), direct_commands.MemcachedInstrumentor()),
        ]
        for name, action, peer, ours in pairs:
            # By name each time: the methods of a class are wrapped and unwrapped in between.
            owner, method = action.__self__, action.__name__
            cases.append(
                compare(
                    name,
                    repeated(lambda key, owner=owner, method=method: getattr(owner, method)(key)),
                    peer=lambda peer=peer: instrumented(peer, stock),
                    ours=lambda ours=ours: instrumented(ours, own),
                    count=1000,
                    quick=quick,
                )
            )
    return [result_of("cache_operations", "An operation on a cache", EXPLANATION, cases)]
