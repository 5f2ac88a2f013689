"""Spans out of OTLP's JSON, which is not protobuf's: ids are hexadecimal, enumerations are numbers, and what is unknown
is passed over (OTLP specification, "JSON Protobuf Encoding").
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link

from e2edebug.ingest.json_text import read_json
from e2edebug.ingest.limits import MOST_ATTRIBUTES, Budget
from e2edebug.ingest.received_span import SpanWords, context_of, kept_events, kept_links
from e2edebug.ingest.refusal import BadItem, Refusal, malformed
from e2edebug.ingest.span_source import Group

_DECIMAL: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_LARGEST_COUNT: Final = 2**32 - 1
_HEXADECIMAL: Final = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII | re.IGNORECASE)
_NOT_FINITE: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""How protobuf's JSON writes them (protobuf.dev, "ProtoJSON Format")."""


def read_groups(body: bytes, *, max_items: int) -> Iterator[Group]:
    """Yield the spans of a request by resource and scope. Raises Refusal."""
    request = read_json(body, max_items=max_items)
    try:
        resources = [(part, _list(part, "scopeSpans")) for part in _list(_object(request), "resourceSpans")]
        if sum(len(_list(scope, "spans", _any)) for _, scopes in resources for scope in scopes) > max_items:
            raise Refusal(413, f"the request has more than {max_items} items")
        for part, scopes in resources:
            resource = _attributes(_member(part, "resource"), Budget())[0]
            for scope in scopes:
                spans = _list(scope, "spans", _any)
                yield Group(
                    resource,
                    _scope(_member(scope, "scope")),
                    len(spans),
                    (partial(_words, span) for span in spans),
                )
    except BadItem as error:
        raise malformed(f"the body is no OTLP request: it has {error}") from error


def _scope(given: dict[str, Any]) -> InstrumentationScope:
    return InstrumentationScope(_text(given, "name"), _text(given, "version"))


def _words(given: Any) -> SpanWords:
    span, budget = _object(given), Budget()
    attributes, left_out = _attributes(span, budget)
    events, events_left_out = kept_events(_list(span, "events"))
    links, links_left_out = kept_links(_list(span, "links"))
    for name in ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"):
        left_out += min(max(0, _integer(span, name)), _LARGEST_COUNT)
    status = _member(span, "status")
    name, message = _text(span, "name"), _text(status, "message")
    budget.spend(len(name) + len(message))
    return SpanWords(
        trace_id=_id(span, "traceId"),
        span_id=_id(span, "spanId"),
        parent_span_id=_id(span, "parentSpanId"),
        flags=_integer(span, "flags"),
        name=name,
        kind=_integer(span, "kind"),
        start_unix_ns=_integer(span, "startTimeUnixNano"),
        end_unix_ns=max(0, _integer(span, "endTimeUnixNano")),
        attributes=attributes,
        events=tuple(_event(event, budget) for event in events),
        links=tuple(_link(link, budget) for link in links),
        status_code=_integer(status, "code"),
        status_message=message,
        left_out=left_out + events_left_out + links_left_out,
    )


def _event(given: dict[str, Any], budget: Budget) -> Event:
    name = _text(given, "name")
    budget.spend(len(name))
    return Event(name, _attributes(given, budget)[0], max(0, _integer(given, "timeUnixNano")))


def _link(given: dict[str, Any], budget: Budget) -> Link:
    budget.spend()
    return Link(context_of(_id(given, "traceId")[:16], _id(given, "spanId")[:8]), _attributes(given, budget)[0])


def _attributes(owner: dict[str, Any], budget: Budget) -> tuple[dict[str, Any], int]:
    """Return the attributes of *owner*, and how many were left out."""
    found: dict[str, Any] = {}
    left_out = 0
    for pair in _list(owner, "attributes"):
        key = _key(pair, budget)
        if len(found) >= MOST_ATTRIBUTES and key not in found:
            left_out += 1
        else:
            found[key] = _value(pair.get("value"), budget)
    return found, left_out


def _value(given: Any, budget: Budget, depth: int = 1) -> Any:
    budget.check_depth(depth)
    value = {} if given is None else _object(given)
    if "stringValue" in value:
        text = _text(value, "stringValue")
        budget.spend(len(text))
        return text
    budget.spend()
    if "boolValue" in value:
        if not isinstance(value["boolValue"], bool):
            raise BadItem("a boolValue that is none")
        return value["boolValue"]
    if "intValue" in value:
        return _integer(value, "intValue")
    if "doubleValue" in value:
        return _double(value["doubleValue"])
    if "arrayValue" in value:
        items = _list(_member(value, "arrayValue"), "values", _any)
        return [_value(item, budget, depth + 1) for item in items]
    if "kvlistValue" in value:
        pairs = _list(_member(value, "kvlistValue"), "values")
        return {_key(pair, budget): _value(pair.get("value"), budget, depth + 1) for pair in pairs}
    return _bytes(value, budget) if "bytesValue" in value else None


def _key(pair: dict[str, Any], budget: Budget) -> str:
    key = _text(pair, "key")
    budget.spend(len(key))
    return key


def _bytes(value: dict[str, Any], budget: Budget) -> bytes:
    text = _text(value, "bytesValue")
    budget.spend(len(text))
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadItem("a bytesValue that is no base64") from error


def _double(given: Any) -> float:
    if isinstance(given, str):
        if given in _NOT_FINITE:
            return _NOT_FINITE[given]
        try:
            return float(given)
        except ValueError as error:
            raise BadItem("a doubleValue that is no number") from error
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise BadItem("a doubleValue that is no number")
    try:
        return float(given)
    except OverflowError as error:
        raise BadItem("a doubleValue that is no number") from error


def _id(owner: dict[str, Any], name: str) -> bytes:
    text = _text(owner, name)
    if _HEXADECIMAL.fullmatch(text) is None:
        raise BadItem("an id that is not hexadecimal")
    return bytes.fromhex(text)


def _integer(owner: dict[str, Any], name: str) -> int:
    """64-bit numbers come as text, others as numbers; both are taken for both."""
    given = owner.get(name)
    if given is None:
        return 0
    if isinstance(given, str) and _DECIMAL.fullmatch(given):
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if isinstance(given, float) and given.is_integer():  # 1.79e18, as protobuf's JSON allows
        return int(given)
    raise BadItem(f"a value of {name} that is no whole number")


def _text(owner: dict[str, Any], name: str) -> str:
    given = owner.get(name)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise BadItem(f"a value of {name} that is no text")
    return given


def _member(owner: dict[str, Any], name: str) -> dict[str, Any]:
    given = owner.get(name)
    return {} if given is None else _object(given)


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadItem("something else where an object belongs")
    return given


def _any(given: Any) -> Any:
    return given


def _list(owner: dict[str, Any], name: str, check: Any = _object) -> list[Any]:
    given = owner.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadItem(f"something else where {name} belong")
    return [check(item) for item in given] if check is not _any else given
