"""What others send becomes steps, sessions and errors, like our own."""

import gzip
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from exporters.writing.pipelines import assert_balanced, pipeline_on
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.otlp import (
    BROWSER_TOKEN,
    JSON,
    NOW_UNIX_NS,
    ORIGIN,
    PROTOBUF,
    TRACE_ID,
    Sender,
    as_json,
    as_protobuf,
    pairs,
    request_of,
    span,
    span_json,
)

from e2edebug.ingest.seen_names import OF_BROWSERS, OTHER, SeenNames
from e2edebug.ingest.trust import MOST_EXCEPTIONS, MOST_EXCEPTIONS_OF_SPAN
from e2edebug_exporters.metadata_json import DROPPED

ENCODINGS: dict[str, Callable[[ExportTraceServiceRequest], bytes]] = {PROTOBUF: as_protobuf, JSON: as_json}

CHECKOUT = [
    span(
        1,
        name="POST /checkout/[id]",
        kind=Span.SPAN_KIND_SERVER,
        parent_span_id=(9).to_bytes(8),
        flags=0x301,
        attributes={"http.request.method": "POST", "http.route": "/checkout/[id]", "correlation.id": "c-1", "n": 5,
                    "ratio": 0.5, "ok": True, "tags": ["a", "b"], "who": {"role": "x"}, "raw": b"abc", "none": None,
                    "password": "hunter2-0d1f77"},
        status=Status(code=Status.STATUS_CODE_ERROR, message="ValueError: refused"),
        events=[
            Span.Event(
                name="exception",
                time_unix_nano=NOW_UNIX_NS + 1_000_000,
                attributes=pairs({"exception.type": "ValueError", "exception.message": "card 4111 1111 1111 1111",
                                  "exception.stacktrace": "Traceback\nValueError: refused"}),
            )
        ],
        links=[Span.Link(trace_id=bytes([7] * 16), span_id=bytes([7] * 8))],
    ),
    span(
        2,
        name="SELECT",
        kind=Span.SPAN_KIND_CLIENT,
        parent_span_id=(1).to_bytes(8),
        flags=0x101,
        attributes={"db.system": "mysql", "db.statement": "SELECT a FROM cards WHERE n = 'hunter2-0d1f77'",
                    "correlation.id": "c-1"},
    ),
]  # fmt: skip


def rows(url: str, query: str) -> list[dict[str, Any]]:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]
    finally:
        engine.dispose()


def steps(url: str) -> list[dict[str, Any]]:
    return rows(url, "SELECT * FROM debugging_trace_step ORDER BY span_id")


@pytest.mark.parametrize("media_type", ENCODINGS)
def test_a_request_becomes_steps_a_session_and_an_error(store_url: str, media_type: str) -> None:
    with pipeline_on(store_url) as pipeline:
        told = Sender(pipeline).send(ENCODINGS[media_type](request_of(CHECKOUT)), media_type)
        assert pipeline.flush(30)
        assert_balanced(pipeline)

    assert (told.status, told.headers["Content-Type"]) == (200, media_type)
    assert told.body == (b"{}" if media_type == JSON else b"")
    server, query = steps(store_url)
    assert {name: str(server[name]) for name in ("layer", "service", "kind", "status", "operation", "parent_span_id")} == {
        "layer": "api", "service": "payments", "kind": "server", "status": "failed", "operation": "POST /checkout/[id]",
        "parent_span_id": "0000000000000009",
    }  # fmt: skip
    assert (server["trace_id"], server["duration_ms"]) == (TRACE_ID.hex(), 2.5)
    assert (query["layer"], query["component"]) == ("database", "cards")
    assert "?" in query["statement"]
    metadata = json.loads(server["metadata"])
    assert {name: metadata[name] for name in ("n", "ratio", "ok", "tags", "who", "raw", "none", "password")} == {
        "n": 5, "ratio": 0.5, "ok": True, "tags": ["a", "b"], "who": {"role": "x"}, "raw": "abc", "none": None,
        "password": "[redacted]",
    }  # fmt: skip
    (session,) = rows(store_url, "SELECT * FROM debugging_workflow_session")
    assert (session["correlation_id"], session["status"], session["service"]) == ("c-1", "failed", "payments")
    (error,) = rows(store_url, "SELECT * FROM debugging_error_log")
    assert (error["error_type"], error["service"], error["correlation_id"]) == ("ValueError", "payments", "c-1")
    everything = repr([*steps(store_url), session, error])
    assert "hunter2" not in everything
    assert "4111" not in everything


def test_both_encodings_become_the_same_rows(store_url: str) -> None:
    """Sent once in each, there is nothing to add: the second is found in the store."""
    request = request_of(CHECKOUT)
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline)
        assert sender.send(as_protobuf(request)).status == 200
        assert pipeline.flush(30)
        before = [{**row} for row in steps(store_url)]
        assert sender.send(as_json(request), JSON).status == 200
        assert pipeline.flush(30)
        books = pipeline.stats()

    assert steps(store_url) == before
    assert books["already_there"] == 3  # two steps and an error
    assert len(rows(store_url, "SELECT id FROM debugging_error_log")) == 1


@pytest.mark.parametrize(
    ("encoding", "compress"), [("identity", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_body_may_be_compressed(store_url: str, encoding: str, compress: Callable[[bytes], bytes]) -> None:
    with pipeline_on(store_url) as pipeline:
        body = compress(as_protobuf(request_of([span()])))
        assert Sender(pipeline).send(body, content_encoding=encoding).status == 200
        assert pipeline.flush(30)

    assert len(steps(store_url)) == 1


@pytest.mark.parametrize("media_type", ENCODINGS)
def test_bad_spans_are_rejected_and_the_good_ones_are_stored(store_url: str, media_type: str) -> None:
    bad = [
        span(2, trace_id=b"short"), span(3, span_id=bytes(8)), span(4, parent_span_id=b"abc"),
        span(5, start_time_unix_nano=0), span(6, start_time_unix_nano=NOW_UNIX_NS + 2 * 86_400 * 10**9),
        span(7, attributes={"big": "x" * 300_000}),
    ]  # fmt: skip
    with pipeline_on(store_url) as pipeline:
        told = Sender(pipeline).send(ENCODINGS[media_type](request_of([span(1), *bad, span(8)])), media_type)
        assert pipeline.flush(30)
        assert pipeline.stats()["dropped"] == {"rejected_by_ingest": len(bad)}
        assert_balanced(pipeline)

    assert told.status == 200
    count, text = told.rejected
    assert count == len(bad)
    assert "1 span: no start time" in text
    assert [row["span_id"] for row in steps(store_url)] == [f"{1:016x}", f"{8:016x}"]


def test_a_span_with_broken_text_costs_itself_alone(store_url: str) -> None:
    """Parsed as one message, the whole request would be lost."""
    good = as_protobuf(request_of([span(1, name="good")]))
    bad = as_protobuf(request_of([span(2, name="b\x01d!")])).replace(b"b\x01d!", b"b\xff\xfe!")
    with pipeline_on(store_url) as pipeline:
        told = Sender(pipeline).send(good + bad)
        assert pipeline.flush(30)

    assert told.rejected == (1, "1 span: a protobuf message that cannot be read")
    assert [row["operation"] for row in steps(store_url)] == ["good"]


def test_more_attributes_events_and_links_than_an_sdk_keeps_are_left_out_and_counted(store_url: str) -> None:
    many = span(
        1,
        attributes={f"a{number}": number for number in range(200)},
        events=[Span.Event(name="e", time_unix_nano=NOW_UNIX_NS)] * 130,
        links=[Span.Link(trace_id=bytes([7] * 16), span_id=bytes([7] * 8))] * 131,
        dropped_attributes_count=4,
    )
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline)
        assert sender.send(as_protobuf(request_of([many]))).rejected == (0, "")
        assert pipeline.flush(30)

    metadata = json.loads(steps(store_url)[0]["metadata"])
    assert metadata[DROPPED] == 4 + (200 - 128) + (130 - 128) + (131 - 128)
    assert len([name for name in metadata if re.fullmatch(r"a\d+", name)]) == 128


@pytest.mark.parametrize(
    ("kind", "flags", "is_root"),
    [
        (Span.SPAN_KIND_SERVER, 0, True),
        (Span.SPAN_KIND_CONSUMER, 0, True),
        (Span.SPAN_KIND_INTERNAL, 0, False),
        (Span.SPAN_KIND_SERVER, 0x100, False),
        (Span.SPAN_KIND_INTERNAL, 0x300, True),
    ],
)
def test_a_parent_elsewhere_makes_a_root(store_url: str, kind: Any, flags: int, is_root: bool) -> None:
    """By the flags; senders that leave them out have their parents elsewhere where they answer requests."""
    with pipeline_on(store_url) as pipeline:
        one = span(1, kind=kind, flags=flags, parent_span_id=(9).to_bytes(8), attributes={"correlation.id": "c"})
        assert Sender(pipeline).send(as_protobuf(request_of([one]))).status == 200
        assert pipeline.flush(30)

    (session,) = rows(store_url, "SELECT status FROM debugging_workflow_session")
    assert session["status"] == ("completed" if is_root else "in_progress")


def test_json_knows_hexadecimal_ids_in_any_case_and_passes_over_what_it_does_not_know(store_url: str) -> None:
    one = span_json(span(0xABCDEF)) | {"brandNew": [{"deep": {}}], "traceState": "a=b", "kind": 3}
    one["traceId"] = one["traceId"].upper()
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [one], "schemaUrl": "x"}], "news": 1}], "more": None}
    with pipeline_on(store_url) as pipeline:
        assert Sender(pipeline).send(json.dumps(body).encode(), JSON).rejected == (0, "")
        assert pipeline.flush(30)

    (row,) = steps(store_url)
    assert (row["trace_id"], row["span_id"], row["kind"]) == (TRACE_ID.hex(), "0000000000abcdef", "client")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "SPAN_KIND_SERVER"}, "a value of kind that is no whole number"),
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="}, "an id that is not hexadecimal"),
        ({"startTimeUnixNano": "12e3"}, "a value of startTimeUnixNano that is no whole number"),
        ({"startTimeUnixNano": True}, "a value of startTimeUnixNano that is no whole number"),
        ({"name": {"a": 1}}, "a value of name that is no text"),
        ({"attributes": {"a": 1}}, "something else where attributes belong"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "true"}}]}, "a boolValue that is none"),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "*"}}]}, "a bytesValue that is no base64"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "x"}}]}, "a doubleValue that is no number"),
        ({"status": []}, "something else where an object belongs"),
        ({"events": ["x"]}, "something else where an object belongs"),
    ],
)  # fmt: skip
def test_json_of_the_wrong_form_is_rejected_by_the_span(store_url: str, change: dict[str, Any], reason: str) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span_json(span(1)) | change, span_json(span(2))]}]}]}
    with pipeline_on(store_url) as pipeline:
        told = Sender(pipeline).send(json.dumps(body).encode(), JSON)

    assert told.rejected == (1, f"1 span: {reason}")


def test_an_empty_request_is_a_success(store_url: str) -> None:
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline)
        assert (sender.send(b"").status, sender.send(b"{}", JSON).status) == (200, 200)
        assert sender.send(b"", JSON).status == 400  # no JSON document is empty


def test_what_a_browser_says_of_users_and_layers_is_not_believed(store_url: str) -> None:
    claimed = {"enduser.id": "1", "e2edebug.user.label": "root", "e2edebug.layer": "database", "session.id": "key" * 9}
    with pipeline_on(store_url) as pipeline:
        told = Sender(pipeline, token=BROWSER_TOKEN).send(
            as_protobuf(request_of([span(1, attributes=claimed)])), origin=ORIGIN
        )
        assert told.status == 200
        assert pipeline.flush(30)

    (row,) = steps(store_url)
    (session,) = rows(store_url, "SELECT * FROM debugging_workflow_session")
    assert (row["layer"], json.loads(row["metadata"])["e2edebug.received_from"]) == ("frontend", "browser")
    assert (session["user_id"], session["user_label"]) == (None, None)
    assert "keykey" not in repr([row, session])
    assert len(session["session_key"]) == 16


def test_one_correlation_id_for_everything_is_replaced_as_for_requests(store_url: str) -> None:
    spans = [span(n, trace_id=n.to_bytes(16), attributes={"correlation.id": "test"}) for n in range(1, 5)]
    with pipeline_on(store_url) as pipeline:
        Sender(pipeline, correlation_id_max_traces=2).send(as_protobuf(request_of([*spans, *spans[:2]])))
        assert pipeline.flush(30)

    found = [row["correlation_id"] for row in steps(store_url)]
    assert found[:2] == ["test", "test"]
    assert len(set(found)) == 3


def test_what_an_operator_has_switched_off_is_not_stored(store_url: str) -> None:
    with pipeline_on(store_url) as pipeline:
        pipeline.span_metrics.keeps_trace = lambda _: False
        assert Sender(pipeline).send(as_protobuf(request_of([span(1)]))).status == 200
        assert pipeline.flush(30)

    assert steps(store_url) == []


def test_exceptions_beyond_what_one_span_and_one_request_are_worth_are_left_out(store_url: str) -> None:
    """150,000 of them fit into 23 kB, and cost the writing thread 50 s."""
    many = [
        Span.Event(
            name="exception", time_unix_nano=NOW_UNIX_NS, attributes=pairs({"exception.type": f"Error{word(n)}"})
        )
        for n in range(100)
    ]
    with pipeline_on(store_url) as pipeline:
        spans = [span(n, trace_id=n.to_bytes(16), events=many) for n in range(1, 101)]
        assert Sender(pipeline).send(as_protobuf(request_of(spans))).rejected == (0, "")
        assert pipeline.flush(60)

    found = rows(store_url, "SELECT span_id, COUNT(*) AS n FROM debugging_error_log GROUP BY span_id")
    assert max(row["n"] for row in found) == MOST_EXCEPTIONS_OF_SPAN
    assert sum(row["n"] for row in found) == MOST_EXCEPTIONS
    assert json.loads(steps(store_url)[0]["metadata"])[DROPPED] == 100 - MOST_EXCEPTIONS_OF_SPAN


def test_names_made_up_at_random_are_left_out_or_put_together(store_url: str) -> None:
    """What rows are made of is always taken: nobody can use up the room for it."""
    most = OF_BROWSERS
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline, token=BROWSER_TOKEN, ingest_browser_rate="unlimited")
        for start in range(0, most["span"] + 500, 500):
            spans = [span(n, name=f"page {n}", attributes={f"a{n}": 1, "b": 2}) for n in range(start + 1, start + 501)]
            told = sender.send(as_protobuf(request_of(spans, resource={"service.name": f"s{start}"})), origin=ORIGIN)
            assert told.rejected == (0, "")
            assert pipeline.flush(60)
        last = span(99_999, name="page 1", attributes={"new": 1, "b": 3, "correlation.id": "c-9", "url.full": "/x"})
        sender.send(as_protobuf(request_of([last])), origin=ORIGIN)
        assert pipeline.flush(60)

    found = steps(store_url)
    assert len({row["operation"] for row in found}) == most["span"] + 1
    assert OTHER in {row["operation"] for row in found}
    metadata = [json.loads(row["metadata"]) for row in found]
    assert len({name for one in metadata for name in one if re.fullmatch(r"a\d+", name)}) <= most["attribute"]
    (newest,) = [row for row in found if row["span_id"] == f"{99_999:016x}"]
    assert (newest["correlation_id"], newest["operation"]) == ("c-9", "page 1")
    assert json.loads(newest["metadata"])["b"] == 3
    assert "new" not in json.loads(newest["metadata"])


def test_errors_made_up_at_random_open_a_bounded_number_of_groups(store_url: str) -> None:
    most = OF_BROWSERS["error"]
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline, token=BROWSER_TOKEN, ingest_browser_rate="unlimited")
        for start in range(0, most + 200, 200):
            spans = [
                span(n, trace_id=n.to_bytes(16), events=[Span.Event(name="exception", time_unix_nano=NOW_UNIX_NS,
                                           attributes=pairs({"exception.type": f"T{chr(97 + n % 26)}{word(n)}"}))])
                for n in range(start + 1, start + 201)
            ]  # fmt: skip
            assert sender.send(as_protobuf(request_of(spans)), origin=ORIGIN).rejected == (0, "")
            assert pipeline.flush(60)

    groups = rows(store_url, "SELECT title FROM debugging_error_group")
    assert len(groups) == most + 1
    assert len(rows(store_url, "SELECT id FROM debugging_error_log")) == most + 200


def word(number: int) -> str:
    """Return a number in letters: digits do not make an error another one."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def test_a_new_day_has_room_for_new_names() -> None:
    now = [0.0]
    seen = SeenNames({"service": 1}, clock=lambda: now[0])

    before = [seen.known("service", name) for name in ("a", "b", "a")]
    now[0] = 86_400.0
    seen.begin_day()

    assert before == ["a", OTHER, "a"]
    assert seen.known("service", "b") == "b"
