"""Spans out of protobuf, one by one: what one of them has wrong costs that one."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope as ScopeMessage
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link

from e2edebug.ingest.limits import LARGEST_ITEM_BYTES, MOST_ATTRIBUTES, Budget
from e2edebug.ingest.received_span import SpanWords, context_of, kept_events, kept_links
from e2edebug.ingest.refusal import BadItem, malformed
from e2edebug.ingest.span_source import Group
from e2edebug.ingest.wire_format import slice_request


def read_groups(body: bytes, *, max_items: int) -> Iterator[Group]:
    """Yield the spans of a request by resource and scope. Raises Refusal."""
    for resource_slice in slice_request(body, max_items=max_items):
        resource = _attributes(_message(ResourceMessage, resource_slice.resource).attributes, Budget())[0]
        for scope_slice in resource_slice.scopes:
            scope = _message(ScopeMessage, scope_slice.scope)
            yield Group(
                resource,
                InstrumentationScope(scope.name, scope.version),
                len(scope_slice.items),
                (partial(_words, item) for item in scope_slice.items),
            )


def _message(kind: Any, data: bytes) -> Any:
    if len(data) > LARGEST_ITEM_BYTES:
        raise malformed(f"a resource or scope is larger than {LARGEST_ITEM_BYTES} bytes")
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise malformed("a resource or scope of the request cannot be read") from error


def _words(data: memoryview) -> SpanWords:
    if len(data) > LARGEST_ITEM_BYTES:
        raise BadItem(f"larger than {LARGEST_ITEM_BYTES} bytes")
    try:
        span = Span.FromString(bytes(data))
    except DecodeError as error:
        raise BadItem("a protobuf message that cannot be read") from error
    budget = Budget()
    attributes, left_out = _attributes(span.attributes, budget)
    events, events_left_out = kept_events(span.events)
    links, links_left_out = kept_links(span.links)
    left_out += span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count
    return SpanWords(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        flags=span.flags,
        name=span.name,
        kind=span.kind,
        start_unix_ns=span.start_time_unix_nano,
        end_unix_ns=span.end_time_unix_nano,
        attributes=attributes,
        events=tuple(
            Event(event.name, _attributes(event.attributes, budget)[0], event.time_unix_nano) for event in events
        ),
        links=tuple(
            Link(context_of(link.trace_id[:16], link.span_id[:8]), _attributes(link.attributes, budget)[0])
            for link in links
        ),
        status_code=span.status.code,
        status_message=span.status.message,
        left_out=left_out + events_left_out + links_left_out,
    )


def _attributes(given: Iterable[KeyValue], budget: Budget) -> tuple[dict[str, Any], int]:
    """Return the attributes, and how many were left out."""
    found: dict[str, Any] = {}
    left_out = 0
    for pair in given:
        budget.spend(len(pair.key))
        if len(found) >= MOST_ATTRIBUTES and pair.key not in found:
            left_out += 1
        else:
            found[pair.key] = _value(pair.value, budget)
    return found, left_out


def _value(value: AnyValue, budget: Budget, depth: int = 1) -> Any:
    budget.check_depth(depth)
    kind = value.WhichOneof("value")
    if kind == "array_value":
        budget.spend()
        return [_value(item, budget, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        budget.spend()
        return {pair.key: _value(pair.value, budget, depth + 1) for pair in value.kvlist_value.values}
    found = None if kind is None else getattr(value, kind)
    budget.spend(len(found) if isinstance(found, str | bytes) else 0)
    return found
