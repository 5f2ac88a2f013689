"""What all spans of one tracer have in common."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationInfo, InstrumentationScope
from opentelemetry.trace import Link, SpanContext
from opentelemetry.util.types import AnyValue, Attributes

from e2edebug_exporters.recording.kept_attributes import bounded

_PLAIN_TYPES: Final[frozenset[type[Any]]] = frozenset({str, int, float, bool, bytes, NoneType})
"""Exactly these, no subclasses: values that nothing can change and that the SDK keeps as they are."""


class SpanProcessors(SynchronousMultiSpanProcessor):
    """The processors of a provider, for spans that call them one after the other themselves."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # the SDK's has no annotations
        self._adding = threading.Lock()
        self.added: tuple[SpanProcessor, ...] = ()
        self.watching_ends: tuple[SpanProcessor, ...] = ()
        """Those with an _on_ending(), experimental in the specification; that of the SDK's base class does nothing."""

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Have *span_processor* hear of every span from now on."""
        super().add_span_processor(span_processor)
        idle = getattr(SpanProcessor, "_on_ending", None)
        with self._adding:
            self.added += (span_processor,)
            if getattr(type(span_processor), "_on_ending", None) is not idle:
                self.watching_ends += (span_processor,)


@dataclass(slots=True, eq=False)
class SpanOrigin:
    """A tracer's part in its spans."""

    scope: InstrumentationScope
    info: InstrumentationInfo | None
    limits: SpanLimits
    processors: SpanProcessors
    scope_name: str = field(init=False)
    plain_types: frozenset[type[Any]] = field(init=False)
    """Values of exactly these types need no cleaning. A str does where texts are cut."""
    most_attributes: int = field(init=False)

    def __post_init__(self) -> None:
        self.scope_name = self.scope.name  # a property of the SDK's, in Python, and asked of every span
        longest = self.limits.max_span_attribute_length
        self.plain_types = _PLAIN_TYPES if longest is None else _PLAIN_TYPES - {str}
        most = self.limits.max_span_attributes
        self.most_attributes = sys.maxsize if most is None else most

    def bounded_attributes(self, attributes: Mapping[str, AnyValue] | None) -> BoundedAttributes:
        """Return the SDK's container for the attributes of a span, which cleans, cuts and drops."""
        return bounded(
            self.limits.max_span_attributes,
            attributes,
            immutable=False,
            longest=self.limits.max_span_attribute_length,
        )

    def link(self, context: SpanContext, attributes: Attributes) -> Link:
        """Return a link as a span keeps it."""
        limits = self.limits
        kept = bounded(limits.max_link_attributes, attributes, immutable=True, longest=limits.max_attribute_length)
        return Link(context, kept)
