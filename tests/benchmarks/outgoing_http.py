"""What a request costs with our instrumentation, beside OpenTelemetry's own: `make bench ARGS=outgoing_http`.

No byte is sent, except by aiohttp, which speaks to a server in the same process: the libraries are asked down to where
they would open a connection.
"""

import asyncio
import io
import urllib.request
import urllib.response
from email.message import Message
from typing import Any

import aiohttp
import httpx
import requests
import urllib3
from aiohttp import web
from benchmarks.paired_cost import compare, instrumented, own_provider, result_of, stock_provider
from benchmarks.result import Case, Result
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

from e2edebug_instrumentation.outgoing_http import clients

URL = "http://stock.internal/items/17?detail=full"


class CannedAdapter(requests.adapters.BaseAdapter):
    def send(self, request: Any, **_: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url, response.raw = (
            200,
            request,
            request.url,
            io.BytesIO(b"ok"),
        )
        return response

    def close(self) -> None:
        pass


def with_requests(count: int) -> None:
    session = requests.Session()
    session.mount("http://", CannedAdapter())
    for _ in range(count):
        session.get(URL)


def with_httpx(count: int) -> None:
    with httpx.Client() as client:
        for _ in range(count):
            client.get(URL)


class CannedHandler(urllib.request.BaseHandler):
    def http_open(self, request: Any) -> Any:
        answer = urllib.response.addinfourl(io.BytesIO(b"ok"), Message(), request.full_url, 200)
        answer.msg = "OK"  # type: ignore[attr-defined] # as HTTPHandler sets it
        return answer


def with_urllib(count: int) -> None:
    opener = urllib.request.OpenerDirector()
    opener.add_handler(CannedHandler())
    for _ in range(count):
        opener.open(urllib.request.Request(URL)).close()


def with_urllib3(count: int) -> None:
    with urllib3.HTTPConnectionPool("stock.internal") as pool:
        for _ in range(count):
            pool.urlopen("GET", "/items/17?detail=full")


def with_aiohttp(count: int) -> None:
    async def run() -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text="ok")

        application = web.Application()
        application.router.add_get("/items/17", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                async with session.get(f"http://127.0.0.1:{port}/items/17?detail=full") as response:
                    await response.read()
        await runner.cleanup()

    asyncio.run(run())


EXPLANATION = """\
Each library sends a request within a request, instrumented by OpenTelemetry's instrumentor alone, and by ours, which
stands on it. No byte is sent, except by aiohttp, which speaks to a server in the same process: the others are asked down
to where they would open a connection. CPU time of one request.
"""


def measure(*, quick: bool) -> list[Result]:
    """Return what they cost."""
    cases: list[Case] = []
    stock, own = stock_provider(), own_provider()
    httpx.HTTPTransport.handle_request = lambda *_: httpx.Response(200, content=b"ok")  # type: ignore[method-assign] # nothing is sent
    urllib3.HTTPConnectionPool._make_request = lambda *_, **__: urllib3.HTTPResponse(b"ok", status=200)  # type: ignore[method-assign, assignment] # as above
    pairs: list[tuple[str, Any, Any, Any, int]] = [
        ("requests", with_requests, RequestsInstrumentor(), clients.RequestsInstrumentor(), 400),
        ("httpx", with_httpx, HTTPXClientInstrumentor(), clients.HttpxInstrumentor(), 400),
        ("urllib", with_urllib, URLLibInstrumentor(), clients.UrllibInstrumentor(), 800),
        ("urllib3", with_urllib3, URLLib3Instrumentor(), clients.Urllib3Instrumentor(), 800),
        ("aiohttp", with_aiohttp, AioHttpClientInstrumentor(), clients.AiohttpClientInstrumentor(), 300),
    ]
    for name, operation, peer, ours, count in pairs:
        cases.append(
            compare(
                name,
                operation,
                peer=lambda peer=peer: instrumented(peer, stock),
                ours=lambda ours=ours: instrumented(ours, own, propagate_to=("*",)),
                count=count,
                quick=quick,
            )
        )
    return [result_of("outgoing_http", "A request to another service", EXPLANATION, cases)]
