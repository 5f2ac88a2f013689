"""The span of one operation on a cache, begun before it and ended with what came of it.

What a cache does within an operation makes no spans of its own: `get_or_set` calls `get` and `add`, `aget` calls `get`
in another thread, and a Redis behind it all is spoken to by its own client. One logical call is one step.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final
from weakref import ref

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import NoOpTracer, ProxyTracerProvider, Span, SpanKind, Tracer, TracerProvider
from opentelemetry.util.types import AttributeValue

from e2edebug.policy import attributes
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.cache.key_shape import shape_of
from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.database.code_location import find_code_location
from e2edebug_instrumentation.span_failure import record_failure

INSTRUMENTATION_SCOPE: Final = "e2edebug.cache"
LAYER: Final = "cache"
KEY: Final = "cache.key"
KEY_COUNT: Final = "cache.key_count"
BACKEND: Final = "cache.backend"
ITEM_SIZE: Final = "cache.item.size"
"""Bytes of the value, or of all values: as the cache packed them, else of a value that is text or bytes itself."""

_MOST_SHAPES: Final = 5
_MOST_LOOKED_AT: Final = 100
_OWN_FILES: Final = 3
"""Frames of ours between the application's call and find_code_location()."""


class CacheOperation:
    """An operation under way. Exactly one of succeed() and fail() ends it; both keep silent about our own failures."""

    __slots__ = ("__weakref__", "_is_of_many", "_packed_bytes", "_plain_bytes", "_span", "_token", "hits", "lookups")

    def __init__(self, span: Span, *, is_current: bool, is_of_many: bool) -> None:
        self._span = span
        self._token = otel_context.attach(trace.set_span_in_context(span)) if is_current else None
        self.lookups = 0
        self.hits = 0
        self._is_of_many = is_of_many
        self._packed_bytes = 0
        self._plain_bytes = -1

    def note_lookup(self, *, hits: int, of: int = 1) -> None:
        """Note that *of* keys were asked for and *hits* were there."""
        self.lookups, self.hits = of, hits

    def note_absent(self) -> None:
        """Note that the key was not there, for an operation that is no look-up: it does not count in the hit rate."""
        self._span.set_attribute("cache.hit", False)

    def note_size(self, value: object) -> None:
        """Note how large *value* is, if that can be told without packing it."""
        if isinstance(value, (bytes, bytearray)):
            self._span.set_attribute(ITEM_SIZE, len(value))
        elif isinstance(value, str):
            self._span.set_attribute(
                ITEM_SIZE, len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
            )

    def note_packed(self, size_bytes: int) -> None:
        """Note that the cache has packed or unpacked a value; an operation on one key may do both."""
        self._packed_bytes = size_bytes + (self._packed_bytes if self._is_of_many else 0)

    def succeed(self) -> None:
        """End the span."""
        self._leave()
        try:
            self._describe()
            self._span.end()
        except Exception as error:  # noqa: BLE001 - the application's operation has succeeded
            internal_error("end the span of a cache operation", error)

    def fail(self, error: BaseException) -> None:
        """End the span as failed; the caller raises the error again."""
        self._leave()
        try:
            self._describe()
            record_failure(self._span, error)
            self._span.end()
        except Exception as own_error:  # noqa: BLE001 - the application must get its own error, not ours
            internal_error("end the span of a failed cache operation", own_error)

    def outside(self, function: Callable[[], Any]) -> Any:
        """Call the application's *function* as a part of this operation whose own cache operations are steps."""
        token = _running.set(None)
        try:
            return function()
        finally:
            _running.reset(token)

    def _leave(self) -> None:
        _running.set(None)
        if self._token is not None:
            detach(self._token)

    def _describe(self) -> None:
        size = self._packed_bytes or self._plain_bytes
        if size >= 0:
            self._span.set_attribute(ITEM_SIZE, size)
        if self.lookups:
            self._span.set_attribute(attributes.CACHE_HITS, self.hits)
            self._span.set_attribute(attributes.CACHE_MISSES, self.lookups - self.hits)
            if self.lookups == 1:
                self._span.set_attribute("cache.hit", self.hits == 1)


class CacheRecorder:
    """Begins the spans of one instrumentor; `is_active` False makes it do nothing, for good."""

    def __init__(self, *, capture_code_location: bool = True, tracer_provider: TracerProvider | None = None) -> None:
        self.is_active = True
        self._captures_code_location = capture_code_location
        self._tracer_provider = tracer_provider
        self._tracer: Tracer | None = None
        self._is_traced = False

    def begin(
        self,
        operation: str,
        *,
        component: str,
        backend: str,
        key: object = None,
        keys: Iterable[object] | None = None,
        is_current: bool = False,
    ) -> CacheOperation | None:
        """Begin the span of an operation; None when there shall be none.

        keys: for operations on many, a collection that may be iterated more than once. is_current: what happens within
        the operation may be steps below it, such as the queries of a cache that is a database table.
        """
        if not self.is_active or is_caching():
            return None
        tracer = self._tracer if self._is_traced else self._find_tracer()
        if tracer is None or not is_instrumentation_enabled():
            return None
        try:
            found: dict[str, AttributeValue] = {
                attributes.LAYER: LAYER,
                attributes.COMPONENT: component,
                attributes.OPERATION: operation,
                BACKEND: backend,
            }
            if keys is not None:
                found[KEY_COUNT], found[KEY] = _count_and_shapes(keys)
            elif key is not None:
                found[KEY] = shape_of(key)
            if self._captures_code_location:
                location = find_code_location(_OWN_FILES)
                if location is not None:
                    found["code.file.path"], found["code.line.number"], found["code.function.name"] = location
            span = tracer.start_span(f"{operation} {component}", None, SpanKind.CLIENT, found)
            running = CacheOperation(span, is_current=is_current, is_of_many=keys is not None)
        except Exception as error:  # noqa: BLE001 - the application's operation goes on without a span
            internal_error("begin the span of a cache operation", error)
            return None
        _running.set(ref(running))
        return running

    def _find_tracer(self) -> Tracer | None:
        """Return the tracer once somebody has set up tracing; until then an operation shall cost next to nothing."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        if isinstance(provider, ProxyTracerProvider):
            return None
        tracer = provider.get_tracer(INSTRUMENTATION_SCOPE)
        self._tracer = None if isinstance(tracer, NoOpTracer) else tracer
        self._is_traced = True
        return self._tracer


def is_caching() -> bool:
    """Whether an operation is under way whose span says it all."""
    running = _running.get()
    return running is not None and running() is not None


def note_packed(size_bytes: int) -> None:
    """Note that a cache has packed or unpacked a value of that size, for the operation under way."""
    reference = _running.get()
    running = reference() if reference is not None else None
    if running is not None:
        running.note_packed(size_bytes)


# Weak, and set to None rather than reset by token, for the reasons given beside its like in database/query_span.py.
_running: ContextVar["ref[CacheOperation] | None"] = ContextVar("e2edebug_running_cache_operation", default=None)


def _count_and_shapes(keys: Iterable[object]) -> tuple[int, list[str]]:
    count = 0
    shapes: dict[str, None] = {}
    for key in keys:
        count += 1
        if count <= _MOST_LOOKED_AT and len(shapes) < _MOST_SHAPES:
            shapes[shape_of(key)] = None
    return count, list(shapes)
