"""What a cache operation costs with our instrumentation, beside OpenTelemetry's for the client below the cache.

`python tests/benchmarks/bench_cache.py`; needs redis-server and memcached.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pymemcache
import redis
from opentelemetry.instrumentation.pymemcache import PymemcacheInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from paired_cost import compare, instrumented, own_provider, say_where, stock_provider
from support.cache_servers import memcached_server, redis_server

from e2edebug_instrumentation.cache import direct_commands
from e2edebug_instrumentation.cache.django_cache import DjangoCacheInstrumentor


def main() -> None:
    say_where()
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
            compare(
                name,
                repeated(lambda key, owner=owner, method=method: getattr(owner, method)(key)),
                peer=lambda peer=peer: instrumented(peer, stock),
                ours=lambda ours=ours: instrumented(ours, own),
                count=1000,
            )


if __name__ == "__main__":
    main()
