"""A request to another service is one step, and tells its workflow to our own services alone."""

import asyncio
import signal
import socket
from contextlib import suppress
from typing import Any

import pytest
from instrumentation.database.recorded_spans import Recording
from instrumentation.outgoing_http.conftest import LIBRARIES, THIRD_PARTY, Server, Within, send
from opentelemetry import propagate
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from e2edebug.testing import InMemoryExporter
from e2edebug_instrumentation.outgoing_http import clients

every_library = pytest.mark.parametrize("library", LIBRARIES)


@every_library
def test_a_call_is_one_step_below_the_one_that_makes_it(library: str, server: Server, within_step: Within) -> None:
    spans = within_step(lambda: send(library, server.url("/stock")))

    assert [(span["kind"], span["parent"], span["status"]) for span in spans] == [("CLIENT", "checkout", "UNSET")]
    assert spans[0]["attributes"]["http.url"] == server.url("/stock")
    assert spans[0]["attributes"]["http.status_code"] == 200


@every_library
def test_a_service_of_ours_learns_of_the_workflow(library: str, server: Server, within_step: Within) -> None:
    within_step(lambda: send(library, server.url("/stock")))

    headers = server.headers_of("/stock")
    assert headers["x-correlation-id"] == "order-17"
    assert headers["baggage"] == "correlation.id=order-17"
    assert "traceparent" in headers


@every_library
def test_a_third_party_learns_nothing(library: str, server: Server, within_step: Within) -> None:
    (span,) = within_step(lambda: send(library, server.url("/charge", THIRD_PARTY)))

    headers = server.headers_of("/charge")
    assert {"traceparent", "tracestate", "baggage", "x-correlation-id"}.isdisjoint(headers)
    assert span["parent"] == "checkout"


@every_library
def test_a_redirect_takes_nothing_to_a_third_party(library: str, server: Server, within_step: Within) -> None:
    within_step(lambda: send(library, server.url("/elsewhere")))

    assert "traceparent" in server.headers_of("/elsewhere")
    assert {"traceparent", "tracestate", "baggage", "x-correlation-id"}.isdisjoint(server.headers_of("/arrived"))


@every_library
def test_the_stored_step_has_host_and_path_and_no_secret_of_the_url(
    library: str, server: Server, within_step: Within, recording: Recording
) -> None:
    stored = InMemoryExporter()
    recording.provider.add_span_processor(SimpleSpanProcessor(stored))
    url = server.url("/stock?access_token=tok_4711&page=2")
    if library != "urllib":  # which takes the user for a part of the host
        url = url.replace("localhost", "ann:hunter2@localhost")

    within_step(lambda: send(library, url))

    (step,) = [step for step in stored.steps if step.kind == "client"]
    assert (step.layer, step.component, step.operation) == ("external", "localhost", "GET /stock")
    assert "/stock?access_token=[redacted]" in step.metadata
    assert not [secret for secret in ("tok_4711", "hunter2") if secret in str(step)]


def test_a_header_that_the_application_sends_itself_arrives(server: Server, within_step: Within) -> None:
    within_step(
        lambda: send(
            "requests", server.url("/charge", THIRD_PARTY), headers={"X-Correlation-ID": "theirs", "baggage": "a=b"}
        )
    )

    headers = server.headers_of("/charge")
    assert (headers["x-correlation-id"], headers["baggage"]) == ("theirs", "a=b")


@every_library
def test_a_name_that_cannot_be_resolved_is_the_cause(
    library: str, within_step: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert failure(within_step, library, "http://payments.example.invalid/charge") == (
        "dns",
        "the host name could not be resolved",
    )


@every_library
def test_a_connection_that_nobody_takes_is_the_cause(library: str, within_step: Within) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        cause = failure(within_step, library, f"http://127.0.0.1:{port}/charge")

    assert cause == ("connect", "the connection was refused: nothing listens there")


@every_library
def test_an_answer_that_does_not_come_is_the_cause(library: str, server: Server, within_step: Within) -> None:
    assert failure(within_step, library, server.url("/hang"), 0.3) == ("read_timeout", "no answer came in time")


@every_library
def test_a_server_that_does_not_speak_tls_is_the_cause(library: str, server: Server, within_step: Within) -> None:
    cause = failure(within_step, library, server.url("/stock").replace("http:", "https:"))

    assert cause == ("tls", "no secure connection (TLS) could be made")


def failure(within_step: Within, library: str, url: str, timeout_s: float = 10.0) -> tuple[str, str]:
    """Return the cause that the step of a failing request names, and its words."""

    def fail() -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
            send(library, url, timeout_s)

    (span,) = within_step(fail)
    assert span["status"] == "ERROR"
    assert len(span["events"]) == 1
    words = span["status_message"].split(": ", 1)[1].partition("; ")[0]
    return span["attributes"]["e2edebug.http.failure"], words


def test_an_answer_that_says_no_is_a_failed_step_with_the_answer(server: Server, within_step: Within) -> None:
    (span,) = within_step(lambda: send("requests", server.url("/declined")))

    assert (span["status"], span["status_message"]) == ("ERROR", "answered 402")


def test_requests_over_urllib3_is_one_step(server: Server, within_step: Within) -> None:
    spans = within_step(lambda: send("requests", server.url("/stock")))

    assert len(spans) == 1


def test_what_the_library_retries_is_told_on_its_step(server: Server, within_step: Within) -> None:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    server.failures_left = 2
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(total=3, status_forcelist=[503], backoff_factor=0)))

    (span,) = within_step(lambda: session.get(server.url("/flaky"), timeout=10))

    assert span["attributes"]["http.request.resend_count"] == 2
    assert [event["e2edebug.retry.reason"] for event in span["events"]] == ["answered 503", "answered 503"]
    session.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_the_connections_that_httpx_tries_again_are_told_on_its_step(within_step: Within, is_async: bool) -> None:
    import httpx

    told_to_application: list[str] = []

    async def ask_async() -> None:
        async def trace(name: str, _: Any) -> None:
            told_to_application.append(name)

        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=2)) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url, extensions={"trace": trace})

    def ask() -> None:
        def trace(name: str, _: Any) -> None:
            told_to_application.append(name)

        with httpx.Client(transport=httpx.HTTPTransport(retries=2)) as client, pytest.raises(httpx.ConnectError):
            client.get(url, extensions={"trace": trace})

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/charge"

        (span,) = within_step((lambda: asyncio.run(ask_async())) if is_async else ask)

    assert span["attributes"]["http.request.resend_count"] == 2
    reasons = [event["e2edebug.retry.reason"] for event in span["events"] if "e2edebug.retry.reason" in event]
    assert len(reasons) == 2
    assert all("refused" in reason or "connection attempts failed" in reason for reason in reasons)
    assert told_to_application.count("connection.retry.started") == 2


@every_library
def test_a_call_made_again_after_a_failure_is_a_retry(library: str, server: Server, within_step: Within) -> None:
    server.failures_left = 2

    def until_it_works() -> None:
        for _ in range(4):
            with suppress(Exception):
                send(library, server.url("/flaky?attempt=x"))

    spans = within_step(until_it_works)

    assert [span["attributes"].get("http.request.resend_count", 0) for span in spans] == [0, 1, 2, 0]


def test_what_urllib_reads_from_a_file_is_no_call(within_step: Within, tmp_path: Any) -> None:
    import urllib.request

    path = tmp_path / "prices.csv"
    path.write_text("tent,1")

    assert within_step(lambda: urllib.request.urlopen(path.as_uri()).close()) == []


def test_urllib_keeps_the_time_limit_of_the_process(server: Server, within_step: Within) -> None:
    """OpenTelemetry's own instrumentor hands on a limit of None where the caller gave none."""
    import urllib.request

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.3)
    try:

        def ask() -> None:
            with pytest.raises(TimeoutError):
                urllib.request.build_opener().open(server.url("/hang"))

        (span,) = within_step(ask)
    finally:
        socket.setdefaulttimeout(before)

    assert span["attributes"]["e2edebug.http.failure"] == "read_timeout"


@pytest.mark.parametrize("path", ["/malformed", "/malformed/declined"])
@every_library
def test_an_answer_of_malformed_length_is_to_the_application_what_it_was(
    library: str, path: str, server: Server, recording: Recording, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """OpenTelemetry's instrumentors for urllib and urllib3 raise ValueError for it; those libraries take it."""
    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")
    alone = outcome_of(library, server.url(path))
    outcomes: list[str] = []
    within_step: Within = request.getfixturevalue("within_step")

    (span,) = within_step(lambda: outcomes.append(outcome_of(library, server.url(path))))

    assert outcomes == [alone]
    is_answer = alone.startswith(("2", "4", "HTTPError"))
    status_code = 402 if path.endswith("declined") else 200
    assert span["attributes"].get("http.status_code") == (status_code if is_answer else None)
    assert (span["status"] == "ERROR") is (status_code == 402 or not is_answer)
    assert "ValueError" not in str(span["events"])


def outcome_of(library: str, url: str) -> str:
    """Return the status that the application gets, or the exception."""
    try:
        return str(send(library, url))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_an_instrumentor_that_fails_before_the_request_is_sent_does_not_keep_it_from_being_sent(
    server: Server, within_step: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    import opentelemetry.instrumentation.urllib3 as stock

    monkeypatch.setenv("E2EDEBUG_RAISE_ERRORS", "0")
    monkeypatch.setattr(stock, "sanitize_method", lambda _: 1 / 0)

    assert within_step(lambda: send("urllib3", server.url("/stock"))) == []
    assert [path for path, _ in server.requests] == ["/stock"]


def test_a_time_limit_that_falls_into_the_instrumentor_is_the_applications(
    server: Server, within_step: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the answer, while the instrumentor is at work: a signal handler's exception is not the instrumentor's."""
    import opentelemetry.instrumentation.urllib3 as stock

    def limit(*_: object) -> None:
        raise TimeoutError("the job's time is up")

    monkeypatch.setattr(stock, "_get_body_size", lambda _: signal.raise_signal(signal.SIGUSR1))
    before = signal.signal(signal.SIGUSR1, limit)
    try:
        with pytest.raises(TimeoutError, match="the job's time is up"):
            within_step(lambda: send("urllib3", server.url("/stock")))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_aiohttp_tells_the_instrumentor_alone_of_its_requests(within_step: Within) -> None:
    """It makes a call to every listener at every point of a request, so a second one doubles what they cost."""
    import aiohttp

    configs: list[aiohttp.TraceConfig] = []

    async def make_session() -> None:
        async with aiohttp.ClientSession(trace_configs=[aiohttp.TraceConfig()]) as session:
            configs.extend(session.trace_configs)

    within_step(lambda: asyncio.run(make_session()))

    assert [len(config.on_request_redirect) for config in configs] == [0, 1]


def test_undone_everything_is_as_it_was() -> None:
    import urllib.request

    import aiohttp
    import httpx
    import requests
    import urllib3

    def wrapped() -> list[Any]:
        return [
            requests.Session.send, requests.sessions.SessionRedirectMixin.rebuild_auth, urllib.request.OpenerDirector.open,
            urllib.request.HTTPRedirectHandler.redirect_request, urllib3.HTTPConnectionPool.urlopen, urllib3.Retry.increment,
            httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request,
            httpx.Client.__mro__[1]._redirect_headers, aiohttp.ClientSession.__init__,
        ]  # fmt: skip

    before, textmap = wrapped(), propagate.get_global_textmap()
    kinds = (
        clients.RequestsInstrumentor, clients.HttpxInstrumentor, clients.UrllibInstrumentor,
        clients.Urllib3Instrumentor, clients.AiohttpClientInstrumentor,
    )  # fmt: skip
    for kind in kinds:
        kind().instrument()
    during = wrapped()
    for kind in kinds:
        kind().uninstrument()

    assert all(one is not other for one, other in zip(before, during, strict=True))
    assert all(one is other for one, other in zip(before, wrapped(), strict=True))
    assert propagate.get_global_textmap() is textmap
