"""A Django project in one file that uses its caches, and prints the spans of each scenario as JSON.

Run in a process of its own, since Django can be configured only once: `python cache_program.py CACHES_AS_JSON MODE` in an empty folder.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from instrumentation.database.recorded_spans import Recording

from e2edebug_instrumentation.cache.direct_commands import MemcachedInstrumentor, RedisInstrumentor
from e2edebug_instrumentation.cache.django_cache import DjangoCacheInstrumentor
from e2edebug_instrumentation.database.django_database import DjangoDatabaseInstrumentor

SCENARIOS: dict[str, Callable[[], Any]] = {}


def scenario(function: Callable[[], Any]) -> Callable[[], Any]:
    SCENARIOS[function.__name__] = function
    return function


def cache(alias: str = "default") -> Any:
    from django.core.cache import caches

    return caches[alias]


@scenario
def miss() -> None:
    cache().get("user:8127:cart")


@scenario
def hit() -> None:
    cache().set("user:8127:cart", "three tents")
    assert cache().get("user:8127:cart") == "three tents"


@scenario
def stored_none() -> None:
    async def use() -> None:
        assert await cache().aget("nothing", "a default") is None
        assert await cache().aget("absent", default="a default") == "a default"

    cache().set("nothing", None)
    assert cache().get("nothing") is None
    assert cache().get("absent", "a default") == "a default"
    assert cache().get("absent") is None
    asyncio.run(use())


@scenario
def of_a_class_of_its_own() -> None:
    """A cache that looks at the default that it is given gets the application's."""
    assert cache("own").get("absent") == "made of nothing"
    assert cache("own").get("absent", 5) == 5


@scenario
def every_method() -> None:
    one = cache()
    one.add("count", 1)
    one.incr("count")
    one.decr("count")
    one.touch("count", 60)
    one.has_key("count")
    assert "count" in one
    one.set_many({"product:1": 1, "product:2": 2})
    assert one.get_many(key for key in ("product:1", "product:2", "product:3")) == {"product:1": 1, "product:2": 2}
    one.delete_many(["product:1", "product:2"])
    one.delete("count")
    one.clear()


@scenario
def every_async_method() -> None:
    async def use() -> None:
        one = cache()
        await one.aadd("count", 1)
        await one.aincr("count")
        await one.adecr("count")
        await one.atouch("count", 60)
        await one.ahas_key("count")
        await one.aset_many({"product:1": 1, "product:2": 2})
        await one.aget_many(["product:1", "product:2", "product:3"])
        await one.aget_or_set("product:9", lambda: 9)
        await one.aget("product:9")
        await one.aset("product:9", b"12345")
        await one.adelete_many(["product:1", "product:2"])
        await one.adelete("count")
        await one.aclear()

    asyncio.run(use())


@scenario
def get_or_set() -> None:
    def expensive() -> str:
        cache().get("another:key")
        return "made"

    assert cache().get_or_set("front:page", expensive) == "made"
    assert cache().get_or_set("front:page", expensive) == "made"
    assert cache().get_or_set("plain:value", 5) == 5


@scenario
def incr_of_nothing() -> None:
    with suppress(ValueError):
        cache().incr("absent:counter")


@scenario
def failing() -> None:
    class Unpicklable:
        def __reduce__(self) -> Any:
            raise RuntimeError("not to be packed")

    with suppress(RuntimeError):
        cache().set("odd", Unpicklable())


@scenario
def other_alias() -> None:
    cache("other").get("x")


@scenario
def two_at_once() -> None:
    async def use() -> None:
        await asyncio.gather(cache().aget("a:1"), cache().aget("b:2"))

    asyncio.run(use())


def main() -> None:
    caches, mode = json.loads(sys.argv[1]), sys.argv[2]
    import django
    from django.conf import settings

    settings.configure(
        BASE_DIR=Path(__file__).parent,
        CACHES={
            **caches,
            "other": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "own": {"BACKEND": "own_cache.OwnCache", "LOCATION": "own"},
        },
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "host.sqlite3"}},
    )
    django.setup()
    recording = Recording()
    instrumentors = [DjangoCacheInstrumentor(), RedisInstrumentor(), MemcachedInstrumentor()]
    if "DatabaseCache" in caches["default"]["BACKEND"]:
        from django.core.management import call_command

        call_command("createcachetable")
        instrumentors.append(DjangoDatabaseInstrumentor())
    if mode == "late":
        cache().get("made-before")
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=recording.provider)
    tracer = recording.provider.get_tracer("test")
    told = {}
    for name, function in SCENARIOS.items():
        cache().clear()
        recording.take()
        with tracer.start_as_current_span("request"):
            function()
        told[name] = [span for span in recording.take() if span["name"] != "request"]
    for instrumentor in instrumentors:
        instrumentor.uninstrument()
    cache().get("x")
    told["undone"] = recording.take()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
