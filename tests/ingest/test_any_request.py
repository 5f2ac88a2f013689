"""Whatever bytes arrive, the answer is one of OTLP's, and what was taken can be stored."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.otlp import JSON, NOW_UNIX_NS, PROTOBUF, Kept, Sender, as_json, as_protobuf, pairs, request_of, span

from e2edebug.policy.config import load_config
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.rows import RowBatch

CONFIG = load_config(environ={})


def send(body: bytes, media_type: str) -> tuple[int, RowBatch, Kept]:
    kept = Kept()
    told = Sender(kept).send(body, media_type)  # type: ignore[arg-type]
    batch = RowBatch()
    assert mapper_of(CONFIG).add_spans(batch, kept.spans) == 0
    return told.status, batch, kept


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=40) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
attributes = st.dictionaries(st.text(max_size=30), values, max_size=6)
spans = st.builds(
    lambda number, given, times, name, flags, kind: span(
        number,
        name=name,
        attributes=given,
        start_time_unix_nano=times[0],
        end_time_unix_nano=times[1],
        flags=flags,
        kind=kind,
        events=[{"name": "exception", "time_unix_nano": times[1], "attributes": pairs(given)}],
    ),
    st.integers(1, 2**64 - 1),
    attributes,
    st.tuples(st.integers(1, NOW_UNIX_NS), st.integers(0, 2**64 - 1)),
    st.text(max_size=40),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**31 - 1),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(spans, max_size=4, unique_by=lambda one: one.span_id))
def test_any_valid_request_is_taken_whole_and_in_both_encodings_alike(given: list[Any]) -> None:
    request = request_of(given)

    in_protobuf = send(as_protobuf(request), PROTOBUF)
    in_json = send(as_json(request), JSON)

    assert (in_protobuf[0], in_protobuf[2].refused) == (200, 0)
    assert (in_json[0], in_json[2].refused) == (200, 0)
    assert len(in_protobuf[1].steps) == len(given)
    assert repr(in_json[1]) == repr(in_protobuf[1])


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_answered(body: bytes) -> None:
    for media_type in (PROTOBUF, JSON):
        assert send(body, media_type)[0] in (200, 400, 413)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "resource", "attributes", "key", "value", "stringValue",
                         "intValue", "arrayValue", "values", "kvlistValue", "doubleValue", "bytesValue", "boolValue",
                         "traceId", "spanId", "name", "kind", "events", "links", "status", "code", "startTimeUnixNano"]),
        inner, max_size=5),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(documents, documents)
def test_any_json_document_is_answered(document: Any, inner: Any) -> None:
    """As it is, and where a span, its attributes and a value belong."""
    valid = json.loads(as_json(request_of([span()])))
    valid["resourceSpans"][0]["scopeSpans"][0]["spans"] += [inner, {**_span_json(valid), "attributes": inner},
                                                            {**_span_json(valid), "attributes": [{"key": "a", "value": inner}]}]  # fmt: skip
    for body in (document, {"resourceSpans": [document]}, {"resourceSpans": [{"scopeSpans": [document]}]}, valid):
        status, batch, _ = send(json.dumps(body).encode(), JSON)
        assert status in (200, 400)
        if body is valid:
            assert status == 200
            assert len(batch.steps) >= 1


def _span_json(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return found
