"""Makes a step of every operation on Django's caches, whatever their back end, synchronous and asynchronous.

The methods of a back end's class are wrapped when Django makes the first cache of that class; each says its alias.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sized
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.cache.cache_operation import CacheOperation, CacheRecorder
from e2edebug_instrumentation.cache.packed_size import stop_weighing, weigh_what_is_packed

_CACHE_MODULE: Final = "django.core.cache"
_ALIAS: Final = "_e2edebug_alias"
_BACKENDS: Final = "django.core.cache.backends."
"""Whose own classes return the default that they are given, and do not look at it."""
_LEAF_MODULES: Final = frozenset(
    f"{_BACKENDS}{name}" for name in ("dummy", "filebased", "locmem", "memcached", "redis")
)
"""Back ends within which nothing happens that could be a step."""

_ONE_KEY: Final = ("add", "decr", "decr_version", "delete", "get", "get_or_set", "has_key", "incr", "incr_version", "set",
                   "touch", "ttl", "pttl", "expire", "persist")  # fmt: skip
_MANY_KEYS: Final = ("delete_many", "get_many", "set_many")
_NO_KEY: Final = ("clear", "delete_pattern", "keys")
_OPERATIONS: Final = {
    prefix + name: (name, keys)
    for keys, names in (("one", _ONE_KEY), ("many", _MANY_KEYS), ("none", _NO_KEY))
    for name in names
    for prefix in ("", "a")
}
"""Method -> operation, and which keys it is given. Some are django-redis's."""
_WITH_VALUE: Final = frozenset({"add", "set"})
_MISSING: Final = object()
_COUNTERS: Final = frozenset({"decr", "decr_version", "incr", "incr_version"})
"""They raise ValueError for a key that is not there: an answer, no failure."""


class DjangoCacheInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes a span of every operation of Django's cache API; a singleton, undone by uninstrument().

    instrument() takes `config` (a policy Config), `capture_code_location`, `tracer_provider`.
    """

    _tracing: "_CacheTracing | None" = None
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without Django the instrumentor waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        config = kwargs.get("config")
        captures = kwargs.get("capture_code_location", getattr(config, "capture_code_location", True))
        self._tracing = _CacheTracing(
            CacheRecorder(capture_code_location=captures, tracer_provider=kwargs.get("tracer_provider"))
        )
        if not DjangoCacheInstrumentor._is_hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks for the present tracing.
            DjangoCacheInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_caches_are_imported, _CACHE_MODULE)
        elif _CACHE_MODULE in sys.modules:
            self._tracing.start(sys.modules[_CACHE_MODULE])

    def _uninstrument(self, **_: Any) -> None:
        if self._tracing is not None:
            self._tracing.stop()
            self._tracing = None

    def _when_caches_are_imported(self, module: ModuleType) -> None:
        if self._tracing is not None:
            self._tracing.start(module)


class _CacheTracing:
    """One period between instrument() and uninstrument()."""

    def __init__(self, recorder: CacheRecorder) -> None:
        self._recorder = recorder
        self._handler: Any = None
        self._wrapped: dict[tuple[type, str], tuple[Any, Any]] = {}
        """(class, method) -> the class's own function and ours."""
        self._seen: set[type] = set()

    def start(self, module: ModuleType) -> None:
        self._handler = module.CacheHandler
        wrapt.wrap_function_wrapper(self._handler, "create_connection", self._create)
        settings = getattr(sys.modules.get("django.conf"), "settings", None)
        if settings is not None and settings.configured:
            for alias in list(module.caches):
                found = getattr(module.caches._connections, alias, None)
                if found is not None:
                    self._watch(found, alias)

    def stop(self) -> None:
        self._recorder.is_active = False
        if self._handler is None:
            return
        unwrap(self._handler, "create_connection")
        for (owner, name), (own, ours) in self._wrapped.items():
            if vars(owner).get(name) is ours:
                setattr(owner, name, own)
        self._wrapped.clear()
        stop_weighing()

    def _create(self, wrapped: Callable[..., Any], _handler: Any, args: Any, kwargs: Any) -> Any:
        cache = wrapped(*args, **kwargs)
        self._watch(cache, args[0] if args else kwargs.get("alias"))
        return cache

    def _watch(self, cache: Any, alias: object) -> None:
        try:
            setattr(cache, _ALIAS, str(alias))
            kind = type(cache)
            if kind in self._seen:
                return
            self._seen.add(kind)
            for owner in kind.__mro__:
                weigh_what_is_packed(owner.__module__)
                for name, function in list(vars(owner).items()):
                    if name in _OPERATIONS and inspect.isfunction(function) and (owner, name) not in self._wrapped:
                        ours = self._traced(name, function)
                        self._wrapped[owner, name] = (function, ours)
                        setattr(owner, name, ours)
        except Exception as error:  # noqa: BLE001 - the application's cache works without us
            internal_error("watch a cache", error)

    def _traced(self, name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        operation, keys = _OPERATIONS[name]
        recorder = self._recorder

        def begin(cache: Any, args: Any, kwargs: Any) -> "_Call | None":
            return _Call.begin(recorder, cache, operation, keys, args, kwargs)

        if inspect.iscoroutinefunction(own):

            @functools.wraps(own)
            async def traced_coroutine(cache: Any, *args: Any, **kwargs: Any) -> Any:
                call = begin(cache, args, kwargs)
                if call is None:
                    return await own(cache, *args, **kwargs)
                try:
                    result = await own(cache, *call.args, **call.kwargs)
                except BaseException as error:
                    call.fail(error)
                    raise
                return call.succeed(result)

            return traced_coroutine

        @functools.wraps(own)
        def traced(cache: Any, *args: Any, **kwargs: Any) -> Any:
            call = begin(cache, args, kwargs)
            if call is None:
                return own(cache, *args, **kwargs)
            try:
                result = own(cache, *call.args, **call.kwargs)
            except BaseException as error:
                call.fail(error)
                raise
            return call.succeed(result)

        return traced


class _Call:
    """One call of a method: its arguments as they are handed on, and what its result means."""

    __slots__ = ("_absent", "_default", "_key_count", "_name", "_operation", "args", "kwargs")

    def __init__(self, name: str, operation: CacheOperation, key_count: int, args: Any, kwargs: Any) -> None:
        self._name = name
        self._operation = operation
        self._key_count = key_count
        self._default: Any = None
        self._absent: Any = None
        """What the cache returns for a key that is not there."""
        self.args = args
        self.kwargs = kwargs

    @classmethod
    def begin(
        cls, recorder: CacheRecorder, cache: Any, name: str, keys: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "_Call | None":
        key, many = None, None
        if keys == "one":
            key = args[0] if args else kwargs.get("key")
        elif keys == "many":
            args, kwargs, many = _with_countable_keys(name, args, kwargs)
        kind = type(cache)
        operation = recorder.begin(
            name,
            component=cache.__dict__.get(_ALIAS) or kind.__name__,
            backend=kind.__name__,
            key=key,
            keys=many,
            is_current=name == "get_or_set" or kind.__module__ not in _LEAF_MODULES,
        )
        if operation is None:
            return None
        call = cls(name, operation, len(many) if isinstance(many, Sized) else 0, args, kwargs)
        if name == "get":
            call._mark_default(is_handed_on=kind.__module__.startswith(_BACKENDS))
        elif name == "get_or_set":
            call._watch_default()
        elif name in _WITH_VALUE:
            operation.note_size(args[1] if len(args) > 1 else kwargs.get("value"))
        return call

    def succeed(self, result: Any) -> Any:
        """End the operation; return what the application is to get, which is *result* but for our mark."""
        operation, name = self._operation, self._name
        if name == "get":
            is_hit = result is not self._absent
            operation.note_lookup(hits=int(is_hit))
            if is_hit:
                operation.note_size(result)
            else:
                result = self._default
        elif name == "get_many":
            operation.note_lookup(hits=len(result) if isinstance(result, Sized) else 0, of=self._key_count)
        operation.succeed()
        return result

    def fail(self, error: BaseException) -> None:
        if self._name in _COUNTERS and type(error) is ValueError:
            self._operation.note_absent()
            self._operation.succeed()
        else:
            self._operation.fail(error)

    def _mark_default(self, *, is_handed_on: bool) -> None:
        """Give the cache a default that nobody can have stored, as the application's may be: None, for one."""
        is_positional = len(self.args) > 1
        self._default = self._absent = self.args[1] if is_positional else self.kwargs.get("default")
        if not is_handed_on:
            return
        self._absent = _MISSING
        if is_positional:
            self.args = (self.args[0], _MISSING, *self.args[2:])
        else:
            self.kwargs = {**self.kwargs, "default": _MISSING}

    def _watch_default(self) -> None:
        """Have the default tell when it is asked for: then the key was not there."""
        operation = self._operation
        operation.note_lookup(hits=1)
        is_positional = len(self.args) > 1
        default = self.args[1] if is_positional else self.kwargs.get("default")

        def produce() -> Any:
            operation.note_lookup(hits=0)
            return operation.outside(default) if callable(default) else default

        if is_positional:
            self.args = (self.args[0], produce, *self.args[2:])
        elif "default" in self.kwargs:
            self.kwargs = {**self.kwargs, "default": produce}


def _with_countable_keys(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Iterable[object] | None]:
    """Return the arguments, and the keys among them, which may be an iterator that can be read only once."""
    parameter = "data" if name == "set_many" else "keys"
    given = args[0] if args else kwargs.get(parameter)
    if isinstance(given, (Mapping, Sized)) or not isinstance(given, Iterable):
        return args, kwargs, given if isinstance(given, Iterable) else None
    keys = list(given)
    if args:
        return (keys, *args[1:]), kwargs, keys
    return args, {**kwargs, parameter: keys}, keys
