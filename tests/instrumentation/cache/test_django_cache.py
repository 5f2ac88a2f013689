"""Operations on Django's caches as spans, for each kind of back end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cache_servers import memcached_server, redis_server

PROGRAM = Path(__file__).parent / "cache_program.py"
BACKENDS = "django.core.cache.backends"
PACKING = ("locmem", "filebased", "db")

Spans = list[dict[str, Any]]


def run_program(folder: Path, cache: dict[str, Any], mode: str = "now") -> dict[str, Spans]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps({"default": cache}), mode],
        capture_output=True, text=True, timeout=120, check=False, cwd=folder,
        env={**os.environ, "E2EDEBUG_RAISE_ERRORS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module", params=["locmem", "filebased", "db", "redis", "memcached"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def spans(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Spans]]:
    """The spans of each scenario of the program."""
    folder = tmp_path_factory.mktemp(backend)
    if backend == "redis":
        with redis_server(folder) as port:
            cache = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}"}
            yield run_program(folder, cache)
    elif backend == "memcached":
        with memcached_server() as port:
            cache = {"BACKEND": f"{BACKENDS}.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{port}"}
            yield run_program(folder, cache)
    else:
        kind = {"locmem": "locmem.LocMemCache", "filebased": "filebased.FileBasedCache", "db": "db.DatabaseCache"}
        yield run_program(folder, {"BACKEND": f"{BACKENDS}.{kind[backend]}", "LOCATION": "cache_entries"})


def of_cache(spans: Spans) -> Spans:
    """Return the spans of cache operations: below those of a cache in a database are its queries."""
    return [span for span in spans if span["attributes"]["e2edebug.layer"] == "cache"]


def operations(spans: Spans) -> list[str]:
    return [span["attributes"]["e2edebug.operation"] for span in of_cache(spans)]


def test_a_miss_says_so_and_shows_the_shape_of_its_key(spans: dict[str, Spans]) -> None:
    (span,) = of_cache(spans["miss"])

    attributes = span["attributes"]
    assert attributes.pop("code.line.number") > 0
    assert attributes.pop("cache.backend").endswith("Cache")
    assert attributes == {
        "e2edebug.layer": "cache",
        "e2edebug.component": "default",
        "e2edebug.operation": "get",
        "cache.key": "user:*:cart",
        "cache.hit": False,
        "cache.hits": 0,
        "cache.misses": 1,
        "code.file.path": "cache_program.py",
        "code.function.name": "__main__.miss",
    }
    assert (span["name"], span["kind"], span["parent"], span["status"]) == ("get default", "CLIENT", "request", "UNSET")


def test_a_hit_says_how_large_the_value_was(spans: dict[str, Spans], backend: str) -> None:
    written, read = of_cache(spans["hit"])

    assert read["attributes"]["cache.hit"] is True
    assert written["attributes"]["cache.item.size"] == read["attributes"]["cache.item.size"] >= len("three tents")


def test_a_stored_none_is_a_hit_and_a_default_is_none(spans: dict[str, Spans]) -> None:
    _, *looked_up = of_cache(spans["stored_none"])

    assert [span["attributes"]["cache.hit"] for span in looked_up] == [True, False, False, True, False]


def test_each_method_is_one_step_whatever_it_calls_itself(spans: dict[str, Spans]) -> None:
    assert operations(spans["every_method"]) == [
        "add", "incr", "decr", "touch", "has_key", "has_key", "set_many", "get_many", "delete_many", "delete", "clear",
    ]  # fmt: skip


def test_each_asynchronous_method_is_one_step_as_well(spans: dict[str, Spans]) -> None:
    assert operations(spans["every_async_method"]) == [
        "add", "incr", "decr", "touch", "has_key", "set_many", "get_many", "get_or_set", "get", "set", "delete_many",
        "delete", "clear",
    ]  # fmt: skip
    assert {span["parent"] for span in of_cache(spans["every_async_method"])} == {"request"}


def test_an_operation_on_many_keys_counts_them_and_what_was_there(spans: dict[str, Spans]) -> None:
    attributes = next(
        span["attributes"] for span in of_cache(spans["every_method"]) if span["name"].startswith("get_many")
    )

    told = {name: attributes.get(name) for name in ("cache.key_count", "cache.key", "cache.hits", "cache.misses")}
    assert told == {"cache.key_count": 3, "cache.key": ["product:*"], "cache.hits": 2, "cache.misses": 1}


def test_get_or_set_is_a_miss_when_it_has_to_make_the_value_whose_steps_stand_below_it(spans: dict[str, Spans]) -> None:
    inner, first, second, plain = of_cache(spans["get_or_set"])

    assert (inner["attributes"]["cache.key"], inner["parent"]) == ("another:key", "get_or_set default")
    assert [span["attributes"]["cache.hit"] for span in (first, second, plain)] == [False, True, False]


def test_counting_up_what_is_not_there_is_no_failure(spans: dict[str, Spans]) -> None:
    (span,) = of_cache(spans["incr_of_nothing"])

    assert (span["status"], span["attributes"]["cache.hit"]) == ("UNSET", False)
    assert "cache.misses" not in span["attributes"]


def test_a_failed_operation_has_its_exception(spans: dict[str, Spans]) -> None:
    (span,) = of_cache(spans["failing"])

    assert span["status_message"] == "RuntimeError: not to be packed"
    assert [event["exception.type"] for event in span["events"]] == ["RuntimeError"]


def test_the_component_is_the_alias(spans: dict[str, Spans]) -> None:
    (span,) = of_cache(spans["other_alias"])

    assert span["name"] == "get other"


def test_operations_at_the_same_time_are_steps_of_their_own(spans: dict[str, Spans]) -> None:
    shapes = sorted(span["attributes"]["cache.key"] for span in of_cache(spans["two_at_once"]))

    assert shapes == ["a:*", "b:*"]


def test_the_client_below_a_cache_is_silent_but_the_queries_of_a_table_are_not(
    spans: dict[str, Spans], backend: str
) -> None:
    below = [span for span in spans["miss"] if span["attributes"]["e2edebug.layer"] != "cache"]

    assert {span["parent"] for span in below} == ({"get default"} if backend == "db" else set())


def test_after_uninstrument_nothing_is_traced(spans: dict[str, Spans]) -> None:
    assert spans["undone"] == []


def test_a_cache_that_was_used_before_is_traced_under_its_alias(tmp_path: Path) -> None:
    spans = run_program(tmp_path, {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}, "late")

    assert [span["name"] for span in spans["miss"]] == ["get default"]
