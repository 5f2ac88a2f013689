"""The receiver below the API of a Django project, with a real exporter, a browser's preflight and hostile requests."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django_app.project import Project
from ingest.site_of_receiver import PATH, head, receiving_project, served_by, talk
from support.otlp import JSON, ORIGIN, PROTOBUF, TOKEN, wait_until

UP = "GET /up/ HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n"
EXPORT = """
import sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource({"service.name": "payments"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))  # where to and with which key is in OTEL_*
tracer = provider.get_tracer("payments")
with tracer.start_as_current_span("charge", kind=trace.SpanKind.SERVER):
    try:
        with tracer.start_as_current_span("ask the bank", kind=trace.SpanKind.CLIENT):
            raise TimeoutError("the bank did not answer")
    except TimeoutError:
        pass
provider.shutdown()
"""


class Site:
    """A served project and its store."""

    def __init__(self, port: int, url: str) -> None:
        self.port = port
        self.engine = sa.create_engine(url)

    def rows(self, query: str) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(query)).mappings())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return receiving_project(tmp_path_factory.mktemp("receiving") / "project")


@contextmanager
def served(project: Project, url: str) -> Iterator[Site]:
    with served_by("gunicorn", project, url) as port:
        found = Site(port, url)
        assert talk(port, UP, b"")[0] == 200  # the first request imports the project
        yield found
        found.engine.dispose()


@pytest.fixture
def site(project: Project, store_url: str) -> Iterator[Site]:
    """With a store of its own, on each dialect."""
    with served(project, store_url) as found:
        yield found


@pytest.fixture(scope="module")
def shared_site(project: Project) -> Iterator[Site]:
    """For requests that store nothing."""
    with served(project, f"sqlite:///{project.folder / 'shared.sqlite3'}") as found:
        yield found


def environment_of_sender(port: int, **more: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}{PATH}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-e2e-key={TOKEN}",
        **more,
    }


def test_the_exporter_of_opentelemetry_sends_to_it(site: Site, tmp_path: Path) -> None:
    """With each of its compressions; and the requests that brought the spans leave no steps of their own."""
    for compression in ("none", "gzip", "deflate"):
        environ = environment_of_sender(
            site.port, OTEL_EXPORTER_OTLP_COMPRESSION=compression, OTEL_EXPORTER_OTLP_TIMEOUT="60"
        )
        run = subprocess.run(
            [sys.executable, "-c", EXPORT], env=os.environ | environ, cwd=tmp_path, capture_output=True, text=True
        )
        assert (run.returncode, run.stderr) == (0, "")

    wait_until(lambda: len(site.rows("SELECT id FROM debugging_trace_step WHERE service = 'payments'")) == 6)
    found = site.rows("SELECT * FROM debugging_trace_step WHERE service = 'payments' ORDER BY id")
    roots = [row for row in found if row["operation"] == "charge"]
    calls = [row for row in found if row["operation"] == "ask the bank"]
    assert {row["parent_span_id"] for row in calls} == {row["span_id"] for row in roots}
    assert [row["layer"] for row in roots] == ["api"] * 3
    assert [row["layer"] for row in calls] == ["external"] * 3
    errors = site.rows("SELECT * FROM debugging_error_log")
    assert [(row["error_type"], row["service"]) for row in errors] == [("TimeoutError", "payments")] * 3
    own = site.rows("SELECT operation FROM debugging_trace_step WHERE service <> 'payments'")
    assert [row["operation"] for row in own] == ["get"]  # of the request for /up/


def test_a_refused_request_leaves_neither_step_nor_error(site: Site) -> None:
    for status, headers in (
        (401, ["X-E2E-Key: wrong"]),
        (400, ["Content-Encoding: gzip"]),
        (415, ["Content-Type: x/y"]),
    ):
        sent = head(JSON, "Content-Length: 2", *headers, token="" if status == 401 else TOKEN)
        if status == 415:
            sent = sent.replace(f"Content-Type: {JSON}\n", "")
        assert talk(site.port, sent, b"{}")[0] == status
    assert talk(site.port, UP, b"")[0] == 200

    wait_until(lambda: len(site.rows("SELECT id FROM debugging_trace_step")) == 2)
    assert [row["operation"] for row in site.rows("SELECT operation FROM debugging_trace_step")] == ["get", "get"]
    assert site.rows("SELECT id FROM debugging_error_log") == []


def test_no_cookie_counts_and_no_csrf_token_is_asked_for(shared_site: Site) -> None:
    sent = head(JSON, "Content-Length: 2", "Cookie: sessionid=" + "a" * 32, "Origin: " + ORIGIN, token="")

    status, headers, body = talk(shared_site.port, sent, b"{}")

    assert (status, headers["content-type"]) == (401, JSON)
    assert "set-cookie" not in headers
    assert json.loads(body)["code"] == 16


def test_a_browser_may_ask_before_it_sends(shared_site: Site) -> None:
    ask = f"OPTIONS {PATH} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\nOrigin: {ORIGIN}\n"

    status, headers, body = talk(shared_site.port, ask + "Access-Control-Request-Method: POST\n", b"")

    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("signal", ["logs", "metrics", "profiles"])
def test_what_is_not_received_is_never_answered_with_success(shared_site: Site, signal: str) -> None:
    sent = head(PROTOBUF, "Content-Length: 0", path=PATH.replace("traces", signal))

    assert talk(shared_site.port, sent, b"")[0] == 404


def test_a_body_above_djangos_own_limit_is_received(shared_site: Site) -> None:
    """Django answers 400 in HTML above 2.5 MB where a view asks for request.body."""
    body = b'{"resourceSpans": [], "more": "' + b"x" * 3_000_000 + b'"}'

    assert talk(shared_site.port, head(JSON, f"Content-Length: {len(body)}"), body)[0] == 200


def test_requests_made_up_at_random_are_never_answered_with_500(shared_site: Site) -> None:
    source = random.Random(20)
    types = [PROTOBUF, JSON, "application/json;charset=utf-8", "text/plain", "", "\xe9", "application/grpc"]
    encodings = ["", "gzip", "deflate", "identity", "br", "gzip,deflate", "\xff"]
    keys = [TOKEN, TOKEN, TOKEN, "", "x", "\xe9" * 50, "A" * 4000]
    bodies = [
        b"", b"{}", b"[]", b'{"resourceSpans":[{}]}', b"\x0a\x00", b"\x0a\x02\x12\x00",
        b'{"resourceSpans":[{"resource":[]}]}', b"\x1f\x8b", b"[" * 5000, b"\x00" * 100,
    ]  # fmt: skip
    statuses = set()
    for _ in range(300):
        body = source.choice(bodies) if source.random() < 0.6 else source.randbytes(source.randrange(200))
        lines = [
            f"Content-Length: {len(body)}",
            f"Content-Encoding: {source.choice(encodings)}",
            f"Origin: {source.choice([ORIGIN, 'null', ''])}" if source.random() < 0.2 else "X-Other: 1",
        ]
        path = source.choice([PATH] * 8 + [PATH + "%00", PATH.replace("traces", "%F0%9F")])
        sent = head(source.choice(types), *lines, token=source.choice(keys), path=path)
        sent = sent.replace("POST", source.choice(["POST"] * 8 + ["GET", "PUT", "OPTIONS"]), 1)
        status, _, content = talk(shared_site.port, sent, body)
        statuses.add(status)
        assert status < 500, (sent, body, content)

    assert {200, 400, 401, 404, 415} <= statuses
