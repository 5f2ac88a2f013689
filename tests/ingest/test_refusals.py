"""What is not taken is refused clearly, in the request's own encoding, before it costs anything."""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from exporters.writing.pipelines import NOWHERE, pipeline_on
from support.otlp import (
    BROWSER_TOKEN,
    JSON,
    ORIGIN,
    PROTOBUF,
    TOKEN,
    Sender,
    as_json,
    as_protobuf,
    request_of,
    span,
    wait_until,
)

from e2edebug.ingest.receiver import Request
from e2edebug_exporters.pipeline import Pipeline

GOOD = as_protobuf(request_of([span()]))


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """Nothing is written: what is refused is refused before."""
    with pipeline_on(NOWHERE, durability="memory") as found:
        yield found


@pytest.fixture
def sender(pipeline: Pipeline) -> Sender:
    return Sender(pipeline)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (GOOD, {"x_e2e_key": ""}, 401),
        (GOOD, {"x_e2e_key": "wrong"}, 401),
        (GOOD, {"x_e2e_key": "", "authorization": "Basic dXNlcjpwYXNz"}, 401),
        (GOOD, {"x_e2e_key": "\udcff"}, 401),
        (GOOD, {"x_e2e_key": TOKEN + " "}, 401),
        (GOOD, {"origin": ORIGIN}, 403),
        (GOOD, {"x_e2e_key": BROWSER_TOKEN}, 403),
        (GOOD, {"x_e2e_key": BROWSER_TOKEN, "origin": "https://evil.example.com"}, 403),
        (GOOD, {"x_e2e_key": BROWSER_TOKEN, "origin": "null"}, 403),
        (GOOD, {"media_type": "text/plain"}, 415),
        (GOOD, {"media_type": ""}, 415),
        (GOOD, {"media_type": "application/json; charset=utf-16"}, 415),
        (GOOD, {"content_encoding": "br"}, 415),
        (GOOD, {"content_encoding": "gzip, gzip"}, 415),
        (GOOD, {"content_length": "-1"}, 400),
        (GOOD, {"content_length": "9" * 30}, 400),
        (GOOD, {"content_length": "99999999"}, 413),
        (GOOD, {"content_length": str(len(GOOD) + 1)}, 400),
        (GOOD, {"content_encoding": "gzip"}, 400),
        (gzip.compress(GOOD)[:-5], {"content_encoding": "gzip"}, 400),
        (gzip.compress(GOOD) * 2, {"content_encoding": "gzip"}, 400),
        (gzip.compress(GOOD) + b"x", {"content_encoding": "gzip"}, 400),
        (zlib.compress(GOOD)[:-1], {"content_encoding": "deflate"}, 400),
        (gzip.compress(bytes(10**8)), {"content_encoding": "gzip"}, 413),
        (bytes(5 * 1024 * 1024), {}, 413),
        (GOOD[:-1], {}, 400),
        (b"\xff" * 20, {}, 400),
        (b"\x0b\x0c", {}, 400),
        (b"\x08\x01", {}, 400),
        (b"\x0a\x02\x08\x01", {}, 400),
        (b"[]", {"media_type": JSON}, 400),
        (b"null", {"media_type": JSON}, 400),
        (b"{", {"media_type": JSON}, 400),
        (b'{"resourceSpans": 5}', {"media_type": JSON}, 400),
        (b'{"resourceSpans": [5]}', {"media_type": JSON}, 400),
        (b'{"resourceSpans": NaN}', {"media_type": JSON}, 400),
        ('{"a": "\u00e9"}'.encode("latin1"), {"media_type": JSON}, 400),
        ("{}".encode("utf-16"), {"media_type": JSON}, 400),
    ],
)  # fmt: skip
def test_a_request_is_refused(sender: Sender, pipeline: Pipeline, body: bytes, headers: Any, status: int) -> None:
    told = sender.send(body, **headers)

    assert told.status == status
    assert pipeline.stats()["emitted"] == 0


def test_a_refusal_is_a_status_in_the_encoding_of_the_request(sender: Sender) -> None:
    """google.rpc.Status has its code in field 1 and its message in field 2."""
    in_protobuf, in_json = sender.send(b"\xff"), sender.send(b"{", JSON)

    text = b"the body is no protobuf message, or it is cut off"
    assert (in_protobuf.headers["Content-Type"], in_protobuf.body) == (
        PROTOBUF, b"\x08\x03\x12" + bytes([len(text)]) + text,
    )  # fmt: skip
    assert (in_json.headers["Content-Type"], in_json.json) == (
        JSON, {"code": 3, "message": "the body is no JSON document in UTF-8"},
    )  # fmt: skip
    assert sender.send(b"", "text/html").headers["Content-Type"] == JSON
    assert sender.send(GOOD, x_e2e_key="no").headers["WWW-Authenticate"] == "Bearer"


def test_the_key_may_be_a_bearer_token(sender: Sender) -> None:
    assert sender.send(GOOD, x_e2e_key="", authorization=f"Bearer {TOKEN}").status == 200


def test_without_a_key_nothing_is_received(pipeline: Pipeline) -> None:
    told = Sender(pipeline, ingest_keys=()).send(GOOD)

    assert told.status == 404
    assert b"no key is set" in told.body


def test_while_e2edebug_is_off_the_sender_is_to_come_again() -> None:
    told = Sender(None).send(GOOD)

    assert (told.status, told.headers["Retry-After"]) == (503, "60")


@pytest.mark.parametrize("signal", ["logs", "metrics", "profiles", "traces/", ""])
def test_what_is_not_received_says_so(sender: Sender, signal: str) -> None:
    told = sender.send(b"{}", JSON, signal=signal)

    assert told.status == 404
    assert "only v1/traces" in told.json["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_named(sender: Sender, method: str) -> None:
    told = sender.send(b"", method=method)

    assert (told.status, told.headers["Allow"]) == (405, "POST, OPTIONS")


def test_a_body_without_an_end_needs_a_length(sender: Sender) -> None:
    headers = {"content-type": PROTOBUF, "x-e2e-key": TOKEN, "transfer-encoding": "chunked"}

    told = sender.receiver.answer(Request("POST", "traces", lambda name: headers.get(name.lower()), None))

    assert told.status == 411


def test_a_sender_that_goes_away_is_no_failure_of_ours(sender: Sender) -> None:
    headers = {"content-type": PROTOBUF, "x-e2e-key": TOKEN, "content-length": "100"}

    def read(_: int) -> bytes:
        raise ConnectionResetError

    assert sender.receiver.answer(Request("POST", "traces", lambda name: headers.get(name.lower()), read)).status == 400


def test_nothing_is_read_before_the_key_is_known(sender: Sender) -> None:
    body = io.BytesIO(GOOD)
    headers = {"content-type": PROTOBUF, "x-e2e-key": "wrong", "content-length": str(len(GOOD))}

    told = sender.receiver.answer(Request("POST", "traces", lambda name: headers.get(name.lower()), body.read))

    assert (told.status, body.tell()) == (401, 0)


@pytest.mark.parametrize("encode", [as_protobuf, as_json])
def test_more_spans_than_allowed_are_refused_whole(pipeline: Pipeline, encode: Any) -> None:
    media_type = JSON if encode is as_json else PROTOBUF
    sender = Sender(pipeline, ingest_max_items=3)

    three, four = (sender.send(encode(request_of(span(n) for n in range(1, most))), media_type) for most in (4, 5))

    assert (three.status, four.status) == (200, 413)


def test_a_queue_that_fills_up_sends_others_away_before_it_drops_our_own() -> None:
    with pipeline_on(NOWHERE, durability="memory", queue_max_items=100) as pipeline:
        sender = Sender(pipeline)
        sent = [sender.send(as_protobuf(request_of(span(n) for n in range(1, 31)))) for _ in range(3)]
        books = pipeline.stats()

    assert [told.status for told in sent] == [200, 429, 429]
    assert int(sent[1].headers["Retry-After"]) > 0
    assert books["dropped"] == {}


def test_a_store_that_is_away_without_a_disk_is_said_to_the_sender() -> None:
    with pipeline_on(NOWHERE, durability="memory") as pipeline:
        sender = Sender(pipeline)
        assert sender.send(GOOD).status == 200
        pipeline.flush(0.1)
        wait_until(lambda: pipeline.stats()["store_away"])

        told = sender.send(GOOD)

    assert told.status == 503
    assert int(told.headers["Retry-After"]) > 0


def test_browsers_have_a_quota_and_services_have_none(pipeline: Pipeline) -> None:
    """A request counts one, and a KiB, a span and an exception one each; what is too much is paid off later."""
    limited = Sender(pipeline, token=BROWSER_TOKEN, ingest_browser_rate="8/hour")
    three = as_protobuf(request_of(span(n) for n in (1, 2, 3)))
    statuses = [limited.send(three, origin=ORIGIN) for _ in range(3)]
    services = [limited.send(b"", x_e2e_key=TOKEN).status for _ in range(10)]

    assert [told.status for told in statuses] == [200, 200, 429]
    assert 0 < int(statuses[2].headers["Retry-After"]) <= 3601
    assert set(services) == {200}


def test_a_body_of_a_browser_is_smaller(pipeline: Pipeline) -> None:
    body = as_protobuf(request_of([span(n, attributes={"a": "x" * 200_000}) for n in (1, 2)]))

    assert Sender(pipeline).send(body).status == 200
    assert Sender(pipeline, token=BROWSER_TOKEN).send(body, origin=ORIGIN).status == 413


def test_pages_of_listed_origins_may_read_the_answer(sender: Sender) -> None:
    preflight = sender.send(b"", "", method="OPTIONS", x_e2e_key="", origin=ORIGIN)
    stranger = sender.send(b"", "", method="OPTIONS", x_e2e_key="", origin="https://evil.example.com")
    answer = sender.send(GOOD, x_e2e_key=BROWSER_TOKEN, origin=ORIGIN)
    refusal = sender.send(b"\xff", x_e2e_key=BROWSER_TOKEN, origin=ORIGIN)

    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "x-e2e-key" in preflight.headers["Access-Control-Allow-Headers"]
    assert not [name for name in stranger.headers if name.startswith("Access-Control")]
    for told in (preflight, stranger, answer, refusal):
        assert told.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in told.headers
    assert [told.headers["Access-Control-Allow-Origin"] for told in (answer, refusal)] == [ORIGIN] * 2


def test_a_refusal_quotes_nothing_of_the_sender(sender: Sender) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "<script>", "name": "<script>"}]}]}]}

    for told in (sender.send(json.dumps(body).encode(), JSON), sender.send(b"<script>"), sender.send(b"", "<script>")):
        assert b"<script>" not in told.body


def test_a_mistake_of_ours_tells_nothing_of_itself(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "")
    monkeypatch.setattr("e2edebug.ingest.receiver.read_body", lambda *_, **__: 1 / 0)

    told = sender.send(GOOD)

    assert told.status == 500
    assert b"Zero" not in told.body
