"""What both encodings of a request come down to: groups of spans that are read one by one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from e2edebug.ingest.received_span import SpanWords


@dataclass(frozen=True, slots=True)
class Group:
    """The spans of one resource and scope."""

    resource: dict[str, Any]
    """Its attributes."""
    scope: InstrumentationScope
    count: int
    readers: Iterable[Callable[[], SpanWords]]
    """Each reads one span, or raises BadItem."""
