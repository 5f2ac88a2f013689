"""Requests over sockets, to the servers that people run."""

import hashlib
import socket
from pathlib import Path

import pytest

from .generated_project import GeneratedProject


def test_gunicorn_serves_traced_requests_with_their_users(tmp_path: Path) -> None:
    project = GeneratedProject(tmp_path, "wsgi_top")
    project.run("manage.py", "migrate", "--run-syncdb", "-v", "0")

    with project.serve("gunicorn", "project.wsgi", "-b", "127.0.0.1:{port}", "-w", "1") as server:
        _, _, body = server.get("/sign-in/")
        person, session_key = body.decode().split()
        cookie = {"Cookie": f"sessionid={session_key}"}
        assert server.get("/me/", cookie)[2] == b"ada"
        server.get("/hello/?card=4111", cookie)
        status, headers, body = server.get("/hello/", {"X-Correlation-ID": "over-a-socket"})
        server.get("/export/")
        spans = project.wait_for_spans(6)

    assert (status, headers["X-Correlation-ID"], body) == (200, "over-a-socket", b"over-a-socket")
    signed_in, me, hello, correlated, export, stream = spans
    digest = hashlib.sha256(session_key.encode()).hexdigest()[:16]
    for span in (signed_in, me):
        assert span["attributes"]["enduser.id"] == person
        assert span["attributes"]["e2edebug.user.label"] == "ada"
        assert span["attributes"]["session.id"] == digest
    # Nobody looked at the user of this request, so nobody knows who it was.
    assert "enduser.id" not in hello["attributes"]
    assert "4111" not in str(hello)
    assert correlated["attributes"]["correlation.id"] == "over-a-socket"
    assert (export["name"], stream["name"]) == ("GET export/", "stream")
    assert export["trace"] == stream["trace"]
    assert "Failed to detach" not in server.log


def test_uvicorn_ends_the_span_of_a_client_that_left(tmp_path: Path) -> None:
    project = GeneratedProject(tmp_path, "asgi_top")

    with project.serve("uvicorn", "project.asgi:application", "--port", "{port}") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /waits/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            # Answered on another connection while the first one is in its view.
            assert server.get("/hello/")[0] == 200
            project.wait_for_spans(1)
        hello, left = project.wait_for_spans(2)

    assert hello["name"] == "GET hello/"
    assert (left["name"], left["status"]) == ("GET waits/", "UNSET")
    assert left["attributes"]["e2edebug.request.interrupted"] == "CancelledError"
    assert "Failed to detach" not in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize("reload", [(), ("--noreload",)])
def test_runserver_serves_traced_requests(reload: tuple[str, ...], tmp_path: Path) -> None:
    project = GeneratedProject(tmp_path, "settings_bottom")

    with project.serve("django", "runserver", "127.0.0.1:{port}", "--settings", "project.settings", *reload) as server:
        server.get("/hello/?a=1")
        (span,) = project.wait_for_spans(1)

    assert (span["name"], span["attributes"]["url.path"]) == ("GET hello/", "/hello/")
