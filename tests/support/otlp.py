"""OTLP requests made by hand, a receiver to give them to, and what it answered."""

import base64
import io
import json
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from e2edebug.ingest.receiver import Receiver, Request
from e2edebug.policy.config import Config, load_config
from e2edebug.policy.ingest_keys import key_of
from e2edebug_exporters.pipeline import Pipeline

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
TOKEN = "e2es_a-token-of-these-tests"
BROWSER_TOKEN = "e2eb_another-token-of-these-tests"
ORIGIN = "https://shop.example.com"
KEYS = (str(key_of(TOKEN, "server")), str(key_of(BROWSER_TOKEN, "browser", [ORIGIN])))
NOW_UNIX_NS = 1_790_000_000_000_000_000
"""2026-09-21 14:13:20 UTC, for the receiver's clock and the spans."""
TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")


class Kept:
    """A pipeline that keeps what it gets, and the rows that come of it."""

    keeps_what_comes = True

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.span_metrics = type("Metrics", (), {"keeps_trace": None})
        self.refused = 0

    def has_room_for(self, *_: int) -> bool:
        return True

    def put_span(self, one: Any) -> None:
        self.spans.append(one)

    def refuse(self, rows: int, _reason: str) -> None:
        self.refused += rows


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rejected(self) -> tuple[int, str]:
        """How many spans were rejected, and why."""
        if self.headers["Content-Type"] == JSON:
            partial = self.json.get("partialSuccess", {})
            return int(partial.get("rejectedSpans", "0")), partial.get("errorMessage", "")
        message = ExportTraceServiceResponse.FromString(self.body).partial_success
        return message.rejected_spans, message.error_message


class Sender:
    """Sends to a receiver in this process, which writes through *pipeline*."""

    def __init__(self, pipeline: Pipeline | None, *, token: str | None = TOKEN, **settings: Any) -> None:
        self.config: Config = load_config({"ingest_keys": KEYS} | settings, environ={})
        self.receiver = Receiver(config=lambda: self.config, pipeline=lambda: pipeline, now_unix_ns=lambda: NOW_UNIX_NS)
        self.token = token

    def send(
        self, body: bytes, media_type: str = PROTOBUF, *, method: str = "POST", signal: str = "traces", **headers: str
    ) -> Told:
        """Send *body*; headers: their names with underscores, '' leaves one out."""
        sent = {"content-type": media_type, "content-length": str(len(body))}
        if self.token is not None:
            sent["x-e2e-key"] = self.token
        sent |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        answer = self.receiver.answer(
            Request(method, signal, lambda name: sent.get(name.lower()), io.BytesIO(body).read)
        )
        return Told(answer.status, answer.headers, answer.body)


def value(given: Any) -> AnyValue:
    """Return *given* as an attribute's value."""
    if given is None:
        return AnyValue()
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    found = AnyValue()
    if isinstance(given, list):
        found.array_value.values.extend(value(item) for item in given)
    elif isinstance(given, dict):
        found.kvlist_value.values.extend(pairs(given))
    else:
        found.string_value = given
    return found


def pairs(given: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes."""
    return [KeyValue(key=name, value=value(one)) for name, one in given.items()]


def span(number: int = 1, *, attributes: Mapping[str, Any] | None = None, **fields: Any) -> Span:
    """Return a span of 2.5 ms with a span id of its own."""
    given = {
        "trace_id": TRACE_ID,
        "span_id": number.to_bytes(8),
        "name": "work",
        "start_time_unix_nano": NOW_UNIX_NS,
        "end_time_unix_nano": NOW_UNIX_NS + 2_500_000,
    }
    return Span(attributes=pairs(attributes or {}), **(given | fields))


def request_of(
    spans: Iterable[Span], *, resource: Mapping[str, Any] | None = None, scope: str = "a.library"
) -> ExportTraceServiceRequest:
    """Return a request of one resource and scope."""
    scope_spans = ScopeSpans(scope=InstrumentationScope(name=scope, version="1"), spans=spans)
    attributes = pairs({"service.name": "payments"} | dict(resource or {}))
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=Resource(attributes=attributes), scope_spans=[scope_spans])]
    )


def as_protobuf(request: ExportTraceServiceRequest) -> bytes:
    return request.SerializeToString()


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """Return OTLP's JSON: ids in hexadecimal, enumerations as numbers, 64-bit numbers as text."""
    return json.dumps({"resourceSpans": [_resource_json(one) for one in request.resource_spans]}).encode()


def _resource_json(given: ResourceSpans) -> dict[str, Any]:
    return {
        "resource": {"attributes": _pairs_json(given.resource.attributes)},
        "scopeSpans": [
            {
                "scope": {"name": one.scope.name, "version": one.scope.version},
                "spans": [span_json(each) for each in one.spans],
            }
            for one in given.scope_spans
        ],
    }


def span_json(given: Span) -> dict[str, Any]:
    """Return one span in OTLP's JSON."""
    return {
        "traceId": given.trace_id.hex(),
        "spanId": given.span_id.hex(),
        "parentSpanId": given.parent_span_id.hex(),
        "flags": given.flags,
        "name": given.name,
        "kind": given.kind,
        "startTimeUnixNano": str(given.start_time_unix_nano),
        "endTimeUnixNano": str(given.end_time_unix_nano),
        "attributes": _pairs_json(given.attributes),
        "droppedAttributesCount": given.dropped_attributes_count,
        "events": [
            {"timeUnixNano": str(one.time_unix_nano), "name": one.name, "attributes": _pairs_json(one.attributes)}
            for one in given.events
        ],
        "links": [
            {"traceId": one.trace_id.hex(), "spanId": one.span_id.hex(), "attributes": _pairs_json(one.attributes)}
            for one in given.links
        ],
        "status": {"code": given.status.code, "message": given.status.message},
    }


def _pairs_json(given: Iterable[KeyValue]) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value_json(pair.value)} for pair in given]


def _value_json(given: AnyValue) -> dict[str, Any]:
    kind = given.WhichOneof("value")
    if kind is None:
        return {}
    if kind == "array_value":
        return {"arrayValue": {"values": [_value_json(item) for item in given.array_value.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _pairs_json(given.kvlist_value.values)}}
    found = getattr(given, kind)
    name = {"string_value": "stringValue", "bool_value": "boolValue", "int_value": "intValue",
            "double_value": "doubleValue", "bytes_value": "bytesValue"}[kind]  # fmt: skip
    if kind == "double_value" and not math.isfinite(found):
        return {name: {math.inf: "Infinity", -math.inf: "-Infinity"}.get(found, "NaN")}
    if kind == "bytes_value":
        return {name: base64.b64encode(found).decode()}
    return {name: str(found) if kind == "int_value" else found}


def wait_until(is_true: Any, *, seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
