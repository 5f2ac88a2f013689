"""A server that remembers what it was sent, and clients that send through each library."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording
from opentelemetry import propagate
from opentelemetry.propagators.composite import CompositePropagator

from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator, with_correlation_id
from e2edebug_instrumentation.outgoing_http import clients

LIBRARIES = ("requests", "httpx", "httpx_async", "urllib", "urllib3", "aiohttp")
OWN = "localhost"
THIRD_PARTY = "127.0.0.1"
"""The same server under another name: the tests' rules call only `localhost` ours."""


@dataclass
class Server:
    """A server on the loopback, listening on both of its names."""

    port: int
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers (lower-case names) of each."""
    failures_left: int = 0

    def url(self, path: str, host: str = OWN) -> str:
        return f"http://{host}:{self.port}{path}"

    def headers_of(self, path: str) -> dict[str, str]:
        """Return the headers of the last request to *path*."""
        return [headers for at, headers in self.requests if at.partition("?")[0] == path][-1]


@pytest.fixture
def server() -> Iterator[Server]:
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            path = self.path.partition("?")[0]
            if path == "/hang":
                release.wait(20)
            if path == "/elsewhere":
                self.send_response(302)
                self.send_header("Location", known.url("/arrived", THIRD_PARTY))
            elif path in ("/declined", "/malformed/declined"):
                self.send_response(402)
            elif path == "/flaky" and known.failures_left > 0:
                known.failures_left -= 1
                self.send_response(503)
            else:
                self.send_response(200)
            self.send_header("Content-Length", "abc" if path.startswith("/malformed") else "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    listening = Quiet(("127.0.0.1", 0), Handler)
    known = Server(listening.server_address[1])
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield known
    release.set()
    listening.shutdown()
    listening.server_close()
    thread.join()


def send(library: str, url: str, timeout_s: float = 10.0, **options: Any) -> int:
    """Send a GET through *library*, following redirects, and return the status; raises what the library raises."""
    if library == "requests":
        import requests

        return requests.get(url, timeout=timeout_s, **options).status_code
    if library == "httpx":
        import httpx

        return httpx.get(url, timeout=timeout_s, follow_redirects=True).status_code
    if library == "urllib":
        import urllib.request

        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return int(answer.status)
    if library == "urllib3":
        import urllib3

        once = urllib3.Retry(total=None, connect=0, read=0, other=0, status=0, redirect=3)
        with urllib3.PoolManager() as pool:
            return int(pool.request("GET", url, timeout=timeout_s, **{"retries": once, **options}).status)
    return asyncio.run(_send_async(library, url, timeout_s))


async def _send_async(library: str, url: str, timeout_s: float) -> int:
    if library == "httpx_async":
        import httpx

        async with httpx.AsyncClient(timeout=timeout_s, follow_redirects=True) as client:
            return (await client.get(url)).status_code
    import aiohttp

    timeout = aiohttp.ClientTimeout(sock_read=timeout_s, sock_connect=timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
        return response.status


Within = Callable[[Callable[[], Any]], list[dict[str, Any]]]


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def instrumented(recording: Recording) -> Iterator[None]:
    """All libraries instrumented, with `localhost` as the only host that is ours."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([before, CorrelationIdPropagator()]))
    kinds = (
        clients.RequestsInstrumentor, clients.HttpxInstrumentor, clients.UrllibInstrumentor,
        clients.Urllib3Instrumentor, clients.AiohttpClientInstrumentor,
    )  # fmt: skip
    instrumentors = [kind() for kind in kinds]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=recording.provider, propagate_to=(OWN,))
    yield
    for instrumentor in instrumentors:
        instrumentor.uninstrument()
    propagate.set_global_textmap(before)


@pytest.fixture
def within_step(recording: Recording, instrumented: None) -> Within:
    """Do something within a step of workflow `order-17`, and return the spans below it."""
    from opentelemetry import context

    def do(action: Callable[[], Any]) -> list[dict[str, Any]]:
        token = context.attach(with_correlation_id("order-17"))
        try:
            with recording.provider.get_tracer("test").start_as_current_span("checkout"):
                action()
        finally:
            context.detach(token)
        return [span for span in recording.take() if span["name"] != "checkout"]

    return do
