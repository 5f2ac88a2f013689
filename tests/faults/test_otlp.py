"""Rows 42 to 44: what strangers can send. What is good in it is stored, the rest is refused, and nothing breaks."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django_app.project import Project
from exporters.writing.pipelines import pipeline_on
from ingest.site_of_receiver import chunked, head, receiving_project, served_by, talk
from support.fault_table import FaultRow
from support.otlp import JSON, NOW_UNIX_NS, PROTOBUF, Sender, as_json, as_protobuf, request_of, span, wait_until

ROOT = Path(__file__).parents[2]
SPANS = 40


def sent_spans() -> list[Any]:
    """Spans that are as old as the machine's clock says, for a receiver that looks at it."""
    import time

    now = time.time_ns()
    return [
        span(n, name=f"work {n}", start_time_unix_nano=now, end_time_unix_nano=now + 10**6) for n in range(1, SPANS + 1)
    ]


def step_count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT COUNT(*) FROM debugging_trace_step")).scalar_one())


@pytest.mark.fault(42)
@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_a_request_broken_at_any_byte_is_refused_or_stored_in_part_and_never_a_500(
    store_url: str, engine: sa.Engine, media_type: str
) -> None:
    """Cut at each of its bytes, and with each of its bytes changed; the good request in between arrives whole."""
    whole = (as_json if media_type == JSON else as_protobuf)(
        request_of([span(n, attributes={"a": "text", "n": n}) for n in (1, 2)])
    )
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline)
        cut = [sender.send(whole[:at], media_type).status for at in range(len(whole))]
        changed = [
            sender.send(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :], media_type)
            for at in range(len(whole))
            for flip in (0x01, 0x80, 0xFF)
        ]
        good = sender.send(as_protobuf(request_of(span(1000 + n) for n in range(SPANS))))
        assert pipeline.flush(60)

    # Of protobuf, nothing at all is an empty request.
    assert set(cut) == ({400} if media_type == JSON else {200, 400})
    assert cut.count(200) == (0 if media_type == JSON else 1)
    assert {told.status for told in changed} <= {200, 400, 413}
    assert (good.status, good.rejected) == (200, (0, ""))
    with engine.connect() as connection:
        found = connection.execute(
            sa.text(
                "SELECT COUNT(*) FROM debugging_trace_step WHERE span_id >= '00000000000003e8' AND operation = 'work'"
            )
        ).scalar_one()
    assert found >= SPANS


@pytest.fixture(params=["gunicorn", "uvicorn", "runserver", "waitress"])
def server(request: pytest.FixtureRequest) -> str:
    if request.param == "waitress":
        pytest.importorskip("waitress", reason="waitress is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return receiving_project(tmp_path_factory.mktemp("receiving") / "project")


@pytest.mark.fault(43)
def test_a_request_in_chunks_is_stored_or_refused_with_411(
    server: str, project: Project, store_url: str, engine: sa.Engine, fault_row: FaultRow
) -> None:
    """Never answered with 200 and lost, which is what Django makes of it by itself."""
    body = as_protobuf(request_of(sent_spans()))
    with served_by(server, project, store_url) as port:
        in_chunks = talk(port, head(PROTOBUF, "Transfer-Encoding: chunked"), chunked(body))
        if server == "runserver":
            assert in_chunks[0] == 411
            assert step_count(engine) == 0
            told = talk(port, head(PROTOBUF, f"Content-Length: {len(body)}"), body)
            assert told[0] == 200
        else:
            assert (in_chunks[0], in_chunks[2]) == (200, b"")
        wait_until(lambda: step_count(engine) == SPANS)
        broken = talk(port, head(PROTOBUF, "Transfer-Encoding: chunked"), b"zz\r\nnonsense\r\n0\r\n\r\n")
        too_large = talk(port, head(PROTOBUF, "Transfer-Encoding: chunked"), chunked(bytes(5 * 1024 * 1024), 65536))
        alive = talk(port, head(JSON, "Content-Length: 2"), b"{}")

    assert 400 <= broken[0] < 500
    assert too_large[0] == (411 if server == "runserver" else 413)
    assert alive[0] == 200
    assert step_count(engine) == SPANS
    fault_row.note(emitted=SPANS, stored=SPANS)


BOMBS = {
    "ten million empty spans in 19 kB": ("gzip.compress(empty_spans(10_000_000))", PROTOBUF, "gzip", 413),
    "two million empty spans": ("empty_spans(2_000_000)", PROTOBUF, "", 413),
    "two million empty resources": (r"b'\x0a\x00' * 2_000_000", PROTOBUF, "", 413),
    "128 MiB of zeros": ("gzip_of(bytes(1024), 2**17)", PROTOBUF, "gzip", 413),
    "JSON of a million objects": ("b'[' + b'{},' * 1_300_000 + b'{}]'", JSON, "", 413),
    "JSON of as many objects as are read": ("b'[' + b'{\"a\":{}},' * 150_000 + b'{}]'", JSON, "", 400),
    "JSON nested a thousand times": ("b'[' * 1000 + b']' * 1000", JSON, "", 400),
    "JSON nested a hundred thousand times": ("b'{\"a\":' * 100_000 + b'1' + b'}' * 100_000", JSON, "", 400),
    "a value nested a thousand times": ("nested_value(1000)", JSON, "", 400),
    "a number of a million digits": ("b'{\"resourceSpans\":' + b'1' * 10**6 + b'}'", JSON, "", 400),
    "a text of quotes": (r"b'\"' + b'\\\"' * 2_000_000", JSON, "", 400),
}
LIMITS = {"4 MiB": 4 * 1024 * 1024, "20 MiB": 20 * 1024 * 1024}
"""Ours, and what the OTLP specification recommends."""

RUN = """
    import gzip, io, json, resource, sys, zlib
    sys.setrecursionlimit(10**6)          # what hosts do; it takes away the interpreter's own protection
    sys.set_int_max_str_digits(0)
    from support.otlp import Sender, as_protobuf, request_of, span

    class Nowhere:
        "A pipeline that keeps what it gets."
        keeps_what_comes = True
        def __init__(self):
            self.spans = []
            self.span_metrics = type("M", (), {"keeps_trace": None})
        has_room_for = lambda self, *_: True
        def put_span(self, span): self.spans.append(span)
        def refuse(self, *_): pass

    def varint(n):
        found = b""
        while n > 127:
            found, n = found + bytes([n & 127 | 128]), n >> 7
        return found + bytes([n])

    def gzip_of(piece, times):
        packer, found = zlib.compressobj(9, zlib.DEFLATED, 31), []
        for _ in range(times):
            found.append(packer.compress(piece))
        return b"".join([*found, packer.flush()])

    def empty_spans(count):
        scope = b"\\x12" + varint(2 * count) + b"\\x12\\x00" * count
        return b"\\x0a" + varint(len(scope)) + scope

    def nested_value(depth):
        value = '{"arrayValue":{"values":[' * depth + '{"intValue":"1"}' + ']}}' * depth
        return ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":'
                + value + '}]}]}]}]}').encode()

    pipeline = Nowhere()
    sender = Sender(pipeline, ingest_max_bytes=MAX_BYTES)
    assert sender.send(as_protobuf(request_of([span()]))).status == 200
    rss = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
    found = {}
    for name, (bomb, media_type, encoding) in BOMBS.items():
        body = eval(bomb)
        pipeline.spans.clear()
        open("/proc/self/clear_refs", "w").write("5")  # begin the peak anew: what made the bomb is not counted
        before = rss()
        status = sender.send(body, media_type, content_encoding=encoding).status
        peak = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) * 1024
        sender.send(as_protobuf(request_of([span(2)])))
        found[name] = {"status": status, "grown": peak - before, "sent": len(body), "spans": len(pipeline.spans)}
        del body
    print(json.dumps(found))
"""
MOST_GROWN_BYTES = 128 * 1024 * 1024


@pytest.fixture(scope="module", params=LIMITS)
def bombed(request: pytest.FixtureRequest) -> Any:
    """What became of each bomb, in one process for all of them, which has to live on."""
    bombs = {name: entry[:3] for name, entry in BOMBS.items()}
    source = f"BOMBS, MAX_BYTES = {bombs!r}, {LIMITS[request.param]}\n" + textwrap.dedent(RUN)
    run = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.fault(44)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_takes_no_memory(bombed: Any, name: str) -> None:
    """Parsed as one message the first takes 1.75 GiB; the good span that comes after each is received."""
    found = bombed[name]

    assert found["status"] == BOMBS[name][3]
    assert found["grown"] < MOST_GROWN_BYTES, found
    assert found["spans"] == 1


@pytest.mark.fault(44)
def test_after_the_bombs_what_is_good_is_stored(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        sender = Sender(pipeline)
        deep = sender.send(b"[" * 100_000, JSON)
        number = sender.send(b'{"resourceSpans":' + b"1" * 10**6 + b"}", JSON)
        many = sender.send(b"\x0a\x00" * 2_000_000)
        good = sender.send(as_protobuf(request_of(span(n, start_time_unix_nano=NOW_UNIX_NS) for n in range(1, 6))))
        assert pipeline.flush(30)

    assert [told.status for told in (deep, number, many, good)] == [400, 400, 413, 200]
    assert step_count(engine) == 5
