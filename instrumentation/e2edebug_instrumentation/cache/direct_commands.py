"""Redis and memcached spoken to directly: a step for each command within a workflow.

Stands on OpenTelemetry's instrumentors for redis-py and pymemcache, where they are installed. No span is made for what
a cache operation of Django's does underneath, nor outside of any step: workers of Celery and RQ ask their broker for
work once a second, and each question would be a workflow.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.util.types import AttributeValue

from e2edebug.policy import attributes as names
from e2edebug_instrumentation.cache.cache_operation import KEY, KEY_COUNT, is_caching
from e2edebug_instrumentation.cache.key_shape import shape_of
from e2edebug_instrumentation.cache.memcached_lookups import LookupWatch
from e2edebug_instrumentation.guided_tracer import GuidedTracerProvider
from e2edebug_instrumentation.span_failure import record_failure
from e2edebug_instrumentation.stock_instrumentor import StockInstrumentor

_LOOKUPS: Final = frozenset({"GET", "GETEX", "GETDEL", "HGET", "HMGET", "MGET"})
_WITHOUT_KEY: Final = frozenset(
    {"AUTH", "CLIENT", "CLUSTER", "CONFIG", "DBSIZE", "ECHO", "EVAL", "EVALSHA", "FLUSHALL", "FLUSHDB", "HELLO", "INFO",
     "KEYS", "PING", "PUBLISH", "SCAN", "SCRIPT", "SELECT", "TIME"}
)  # fmt: skip


class RedisInstrumentor(StockInstrumentor):
    """Makes a span of every Redis command and pipeline, sent by redis-py, synchronous or not, within a workflow."""

    library = "redis"
    stock = "opentelemetry.instrumentation.redis:RedisInstrumentor"

    def options(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "tracer_provider": GuidedTracerProvider(_CommandGuide("redis"), arguments.get("tracer_provider")),
            "request_hook": _describe_command,
            "response_hook": _describe_answer,
        }


class MemcachedInstrumentor(StockInstrumentor):
    """Makes a span of every memcached command sent by pymemcache within a workflow."""

    library = "pymemcache"
    stock = "opentelemetry.instrumentation.pymemcache:PymemcacheInstrumentor"

    def options(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"tracer_provider": GuidedTracerProvider(_CommandGuide("memcached"), arguments.get("tracer_provider"))}

    def before(self, library: ModuleType) -> None:
        self._lookups = LookupWatch(library.client.base.Client, _note_lookup)

    def after_undoing(self) -> None:
        self._lookups.stop()


class _CommandGuide:
    """The rules for commands."""

    def __init__(self, component: str) -> None:
        self._component = component

    def begin(self, tracer: Tracer, name: str, attributes: Mapping[str, AttributeValue]) -> Span | None:
        if is_caching() or not trace.get_current_span().get_span_context().is_valid:
            return None
        found = {**attributes, names.LAYER: "cache", names.COMPONENT: self._component, names.OPERATION: name}
        span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=found)
        # pymemcache's instrumentor writes the keys themselves, and has no hook that could mask them.
        return _WithoutKeys(span) if self._component == "memcached" else span

    def fail(self, span: Span, error: BaseException) -> None:
        record_failure(span, error)

    def end(self, span: Span) -> None:
        span.end()


def _note_lookup(hits: int, misses: int) -> None:
    span = trace.get_current_span()
    if type(span) is _WithoutKeys:  # else there is no step for it
        _set_found(span, hits, misses)


def _set_found(span: Span, hits: int, misses: int) -> None:
    span.set_attributes({names.CACHE_HITS: hits, names.CACHE_MISSES: misses})
    if hits + misses == 1:
        span.set_attribute("cache.hit", hits == 1)


class _WithoutKeys(trace.NonRecordingSpan):
    """A span on which a command is noted with the shape of its keys."""

    def __init__(self, span: Span) -> None:
        super().__init__(span.get_span_context())
        self._inner = span

    def is_recording(self) -> bool:
        return self._inner.is_recording()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        shown = dict(attributes)
        for name in ("db.statement", "db.query.text"):
            statement = shown.pop(name, None)
            if isinstance(statement, str):
                keys = statement.split(" ")[1:]
                shown[KEY] = [*dict.fromkeys(map(shape_of, keys))] if len(keys) > 1 else shape_of("".join(keys))
                if len(keys) > 1:
                    shown[KEY_COUNT] = len(keys)
        self._inner.set_attributes(shown)

    def set_attribute(self, key: str, value: Any) -> None:
        self._inner.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._inner.add_event(name, attributes, timestamp)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._inner.set_status(status, description)

    def end(self, end_time: int | None = None) -> None:
        self._inner.end(end_time)


def _describe_command(span: Span, _client: Any, args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> None:
    if not span.is_recording() or len(args) < 2 or str(args[0]).upper() in _WITHOUT_KEY:
        return
    if str(args[0]).upper() == "MGET":
        span.set_attribute(KEY_COUNT, len(args) - 1)
    span.set_attribute(KEY, shape_of(args[1]))


def _describe_answer(span: Span, _client: Any, answer: Any) -> None:
    if not span.is_recording():
        return
    if str(getattr(span, "name", "")).upper() not in _LOOKUPS:
        return
    # A list: of MGET, or of a pipeline of one look-up.
    answers = answer if isinstance(answer, (list, tuple)) else (answer,)
    hits = sum(one is not None for one in answers)
    _set_found(span, hits, len(answers) - hits)
