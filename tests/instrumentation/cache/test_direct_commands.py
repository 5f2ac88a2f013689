"""Redis and memcached spoken to directly, without Django."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pymemcache
import pytest
import redis
from instrumentation.database.recorded_spans import Recording
from support.cache_servers import memcached_server, redis_server

from e2edebug_instrumentation.cache.direct_commands import MemcachedInstrumentor, RedisInstrumentor

Do = Callable[[Callable[[], Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="module")
def memcached_port() -> Iterator[int]:
    with memcached_server() as port:
        yield port


@pytest.fixture
def do() -> Iterator[Do]:
    """Do something within a step, and return the spans below it."""
    recording = Recording()
    instrumentors = (RedisInstrumentor(), MemcachedInstrumentor())
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=recording.provider)

    def within_a_step(action: Callable[[], Any]) -> list[dict[str, Any]]:
        with recording.provider.get_tracer("test").start_as_current_span("request"):
            action()
        return [span for span in recording.take() if span["name"] != "request"]

    within_a_step.recording = recording  # type: ignore[attr-defined] # for the one test without a step
    yield within_a_step
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def told(span: dict[str, Any]) -> dict[str, Any]:
    wanted = ("e2edebug.layer", "e2edebug.component", "e2edebug.operation", "cache.key", "cache.hit")
    return {name.rpartition(".")[2]: span["attributes"][name] for name in wanted if name in span["attributes"]}


def test_a_redis_look_up_tells_shape_and_hit(do: Do, redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.set("user:42:cart", "three tents")

    found, missing = do(lambda: (client.get("user:42:cart"), client.get("user:43:cart")))

    common = {"layer": "cache", "component": "redis", "operation": "GET", "key": "user:*:cart"}
    assert told(found) == {**common, "hit": True}
    assert told(missing) == {**common, "hit": False}
    assert "42" not in str(found["attributes"].get("db.statement"))


def test_a_pipeline_is_one_step(do: Do, redis_port: int) -> None:
    with redis.Redis(port=redis_port).pipeline() as pipeline:
        pipeline.set("a", 1).get("a")

        spans = do(pipeline.execute)

    assert [span["name"] for span in spans] == ["SET GET"]


def test_asynchronous_redis_is_traced_too(do: Do, redis_port: int) -> None:
    async def ask() -> None:
        async with redis.asyncio.Redis(port=redis_port) as client:
            await client.mget("k:1", "k:2")

    spans = [span for span in do(lambda: asyncio.run(ask())) if span["name"] == "MGET"]

    assert told(spans[0]) == {"layer": "cache", "component": "redis", "operation": "MGET", "key": "k:*"}
    assert (spans[0]["attributes"]["cache.hits"], spans[0]["attributes"]["cache.misses"]) == (0, 2)


def test_a_command_that_fails_has_its_exception(do: Do, redis_port: int) -> None:
    client = redis.Redis(port=redis_port)
    client.set("word", "not a number")

    def count() -> None:
        with pytest.raises(redis.ResponseError):
            client.incr("word")

    (span,) = do(count)

    assert span["status"] == "ERROR"
    assert [event["exception.type"] for event in span["events"]] == ["redis.exceptions.ResponseError"]


def test_memcached_commands_show_the_shape_of_their_keys(do: Do, memcached_port: int) -> None:
    client = pymemcache.Client(("127.0.0.1", memcached_port))

    one, many = do(lambda: (client.get("user:42:cart"), client.get_many(["user:1", "user:2"])))

    assert told(one) == {
        "layer": "cache", "component": "memcached", "operation": "get", "key": "user:*:cart", "hit": False,
    }  # fmt: skip
    assert told(many)["key"] == ["user:*"]
    assert "42" not in str(one["attributes"])
    client.close()


@pytest.mark.parametrize("kind", [pymemcache.Client, pymemcache.PooledClient, pymemcache.HashClient])
def test_memcached_look_ups_tell_what_they_found(do: Do, memcached_port: int, kind: Any) -> None:
    address = ("127.0.0.1", memcached_port)
    client = kind([address] if kind is pymemcache.HashClient else address)
    client.set("there", b"1")
    client.delete("away")

    def look_up() -> None:
        assert client.get("there") == b"1"
        assert client.get("away", b"a default") == b"a default"
        assert client.get("away") is None
        assert client.gets("there")[0] == b"1"
        assert client.gets("away") == (None, None)
        assert client.get_many(["there", "away", "gone"]) == {"there": b"1"}
        assert client.get_multi(["away"]) == {}
        assert [*client.gets_many(["there"])] == ["there"]

    spans = do(look_up)

    found = [(span["attributes"]["cache.hits"], span["attributes"]["cache.misses"]) for span in spans]
    assert found == [(1, 0), (0, 1), (0, 1), (1, 0), (0, 1), (1, 2), (0, 1), (1, 0)]
    client.close()


def test_undone_memcached_look_ups_are_the_librarys() -> None:
    names = ("get", "gets", "get_many", "get_multi", "gets_many")
    before = [vars(pymemcache.Client)[name] for name in names]
    instrumentor = MemcachedInstrumentor()

    instrumentor.instrument()
    during = [vars(pymemcache.Client)[name] for name in names]
    instrumentor.uninstrument()

    assert [vars(pymemcache.Client)[name] for name in names] == before
    assert not set(map(id, before)) & set(map(id, during))


def test_outside_of_any_step_a_command_is_no_workflow(do: Any, redis_port: int) -> None:
    """Workers ask their broker for work once a second."""
    redis.Redis(port=redis_port).get("anything")

    assert do.recording.take() == []


def test_undone_the_library_is_as_it_was(redis_port: int) -> None:
    before = redis.Redis.execute_command
    instrumentor = RedisInstrumentor()

    instrumentor.instrument()
    during = redis.Redis.execute_command
    instrumentor.uninstrument()

    assert redis.Redis.execute_command is before is not during


def test_an_instrumentor_that_somebody_else_switched_on_stays_theirs() -> None:
    from opentelemetry.instrumentation.redis import RedisInstrumentor as Stock

    Stock().instrument()
    try:
        ours = RedisInstrumentor()
        ours.instrument()
        ours.uninstrument()

        assert Stock().is_instrumented_by_opentelemetry
    finally:
        Stock().uninstrument()
