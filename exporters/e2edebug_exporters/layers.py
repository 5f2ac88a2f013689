"""Which layer a span belongs to: what it says of itself, else what its parent is.

Children end before their parents, so a batch holds the child first. Parents are therefore looked up ahead in the batch,
then among the spans of earlier batches.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug_exporters.span_reading import SpanIndex, raw_attributes
from e2edebug_schema.tables import LAYERS

DEFAULT_LAYER: Final = "system"

CACHE_SYSTEMS: Final = frozenset(
    {"redis", "memcached", "memcache", "valkey", "keydb", "dragonfly", "django.cache", "hazelcast", "ehcache"}
)
# A member looked up on its enum class costs more than a global.
_INTERNAL: Final = SpanKind.INTERNAL
_SERVER: Final = SpanKind.SERVER
_CONSUMER: Final = SpanKind.CONSUMER
_CACHE_MARKS: Final = ("cache.system", "cache.backend", "cache.alias", "cache.operation", "cache.key", "cache.hit")
_NEXT_MARKS: Final = ("next.span_type", "next.route", "next.span_name")
_STATEMENTS: Final = ("db.statement", "db.query.text")
_OWN_MARKS: Final = frozenset(
    {names.LAYER, "db.system", "db.system.name", "http.route", *_STATEMENTS, *_CACHE_MARKS, *_NEXT_MARKS}
)
"""Without any of these, attributes say nothing of a layer."""


def own_layer(kind: SpanKind, attributes: Mapping[str, Any], scope: str, language: str) -> str | None:
    """Return the layer that a span's own kind and attributes (raw, old or new names) say; None: ask its parent.

    scope: the name of its instrumentation; language: its resource's `telemetry.sdk.language`.
    """
    explicit = attributes.get(names.LAYER)
    if explicit is not None and explicit in LAYERS:
        return cast(str, explicit)
    if "db.system" in attributes or "db.system.name" in attributes:
        system = attributes.get("db.system.name") or attributes.get("db.system")
        return "cache" if isinstance(system, str) and system in CACHE_SYSTEMS else "database"
    if kind is _INTERNAL:
        return _layer_of_internal(attributes, scope, language)
    if language == "webjs" or (kind is _SERVER and _is_next(attributes, scope)):
        return "frontend"
    if kind is _SERVER:
        return "api"
    if _has_any(attributes, _CACHE_MARKS):
        return "cache"
    if _has_any(attributes, _STATEMENTS):
        return "database"
    return DEFAULT_LAYER if kind is _CONSUMER else "external"


class LayerResolver:
    """Finds the layer of spans that do not say it. Remembers the last spans that can be parents, and no more."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._serving_resources: dict[int, Resource] = {}
        """By identity, and kept: while one lives here, nothing else gets its id()."""

    def layer(
        self, span: ReadableSpan, attributes: Mapping[str, Any], index: SpanIndex, *, scope: str, language: str
    ) -> str:
        """Return the layer of *span*; *index*: the batch it came in. scope, language: as in own_layer()."""
        kind = span.kind
        layer = own_layer(kind, attributes, scope, language)
        if layer is None:
            layer = self._layer_of_ancestor(span, index)
        context = span.context
        self.note(kind, span.resource, 0 if context is None else context.span_id, layer)
        return layer

    def layer_above(
        self,
        span: ReadableSpan,
        is_root: bool,
        parent_id: int,
        attributes: Mapping[str, Any],
        scope: str,
        language: str,
        index: SpanIndex,
    ) -> str | None:
        """Return the layer of what an INTERNAL *span* is part of; None where own_layer() says its own."""
        may_say_it = not _OWN_MARKS.isdisjoint(attributes) or scope == "next.js" or language == "webjs"
        if may_say_it and own_layer(_INTERNAL, attributes, scope, language) is not None:
            return None
        if is_root:
            return DEFAULT_LAYER
        return self._known.get(parent_id) or index.layers.get(parent_id) or self._layer_of_ancestor(span, index)

    def note(self, kind: SpanKind, resource: Resource, span_id: int, layer: str) -> None:
        """Remember the layer of a span that others may be part of."""
        if kind is _SERVER:
            self._note_serving(resource)
        if span_id and (kind is _SERVER or kind is _INTERNAL or kind is _CONSUMER):
            self._remember(span_id, layer)

    def known_layer(self, span_id: int) -> str | None:
        """Return the layer of a span seen before, as long as it is remembered."""
        return self._known.get(span_id)

    def _layer_of_ancestor(self, span: ReadableSpan, index: SpanIndex) -> str:
        """Walk up to the first ancestor whose layer is known; the spans on the way are not walked again."""
        on_the_way: dict[int, None] = {}
        while True:
            parent = span.parent
            if parent is None or parent.is_remote:
                layer = DEFAULT_LAYER
                break
            known = self._known.get(parent.span_id) or index.layers.get(parent.span_id)
            if known is not None:
                layer = known
                break
            ahead = index.find(parent)
            if ahead is None or parent.span_id in on_the_way:
                layer = self.layer_of_running(span.resource)
                break
            scope = ahead.instrumentation_scope
            own = own_layer(
                ahead.kind, raw_attributes(ahead), scope.name if scope is not None else "", language_of(ahead.resource)
            )
            on_the_way[parent.span_id] = None
            if own is not None:
                layer = own
                break
            span = ahead
        for span_id in on_the_way:
            index.layers[span_id] = layer
        return layer

    def layer_of_running(self, resource: Resource | None) -> str:
        """Return the likely layer of a span that has not ended: where requests are answered, it is one of them."""
        return "api" if id(resource) in self._serving_resources else DEFAULT_LAYER

    def _remember(self, span_id: int, layer: str) -> None:
        known = self._known
        if len(known) >= _MOST_REMEMBERED:
            for oldest in list(known)[: _MOST_REMEMBERED // 2]:
                del known[oldest]
        known[span_id] = layer

    def _note_serving(self, resource: Resource) -> None:
        # A process has one resource for life; many only come from other senders, one with each of their requests.
        if len(self._serving_resources) < _MOST_RESOURCES:
            self._serving_resources[id(resource)] = resource


def language_of(resource: Resource | None) -> str:
    """Return `telemetry.sdk.language` (`python`, `webjs`, `nodejs`), or ''."""
    return "" if resource is None else str(resource.attributes.get("telemetry.sdk.language", ""))


def _layer_of_internal(attributes: Mapping[str, Any], scope: str, language: str) -> str | None:
    if language == "webjs" or _is_next(attributes, scope):
        return "frontend"
    if "http.route" in attributes and ("http.method" in attributes or "http.request.method" in attributes):
        return "api"  # the Django instrumentation makes its request span INTERNAL when a span is already current
    if _has_any(attributes, _CACHE_MARKS):
        return "cache"
    if _has_any(attributes, _STATEMENTS):
        return "database"
    return None


def _is_next(attributes: Mapping[str, Any], scope: str) -> bool:
    return scope == "next.js" or _has_any(attributes, _NEXT_MARKS)


def _has_any(attributes: Mapping[str, Any], marks: Sequence[str]) -> bool:
    return any(mark in attributes for mark in marks)


_MOST_REMEMBERED: Final = 8192
_MOST_RESOURCES: Final = 64
