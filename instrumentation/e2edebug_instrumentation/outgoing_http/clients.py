"""The libraries that send requests, each through OpenTelemetry's instrumentor for it, where that is installed.

What is added to each: our rules for its spans, its retries as such, and that a redirect takes nothing to third parties.
"""

import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import wrapt
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.guided_tracer import GuidedTracerProvider
from e2edebug_instrumentation.outgoing_http.call_guide import CallGuide
from e2edebug_instrumentation.outgoing_http.connection_retries import (
    stop_watching_connection_retries,
    watch_connection_retries,
)
from e2edebug_instrumentation.outgoing_http.guarded_propagation import guard, release, strip
from e2edebug_instrumentation.outgoing_http.kept_outcome import KeptOutcome
from e2edebug_instrumentation.outgoing_http.own_services import OwnServices
from e2edebug_instrumentation.outgoing_http.retries import stop_watching_retries, watch_retries
from e2edebug_instrumentation.stock_instrumentor import StockInstrumentor

_SCHEMES: Final = ("http", "https")


class HttpClientInstrumentor(StockInstrumentor):
    """Base of the five. instrument() takes `config` (a policy Config), `propagate_to` (hosts) and `tracer_provider`."""

    sends: ClassVar[tuple[str, str] | None] = None
    """Class and method that the instrumentor wraps, if it wraps a plain one."""
    _kept: KeptOutcome | None = None

    _active: Final[set[type]] = set()
    """Those that are switched on: the last to go releases the propagators."""

    def options(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"tracer_provider": GuidedTracerProvider(self.guide, arguments.get("tracer_provider"))}

    def before(self, library: ModuleType) -> None:
        if self.sends is not None:
            kind, method = self.sends
            self._kept = KeptOutcome(getattr(library, kind), method)
            self._kept.put_inside()

    def after(self, library: ModuleType) -> None:  # noqa: ARG002 - the others' parameter
        if self._kept is not None:
            self._kept.put_around()

    def before_undoing(self) -> None:
        if self._kept is not None:
            self._kept.take_off()

    def after_undoing(self) -> None:
        if self._kept is not None:
            self._kept.take_off()

    def _instrument(self, **kwargs: Any) -> None:
        hosts = kwargs.get("propagate_to", getattr(kwargs.get("config"), "propagate_to", ()))
        self.guide = CallGuide(OwnServices(hosts))
        self._active.add(type(self))
        guard(self.guide.own_services)
        super()._instrument(**kwargs)

    def _uninstrument(self, **kwargs: Any) -> None:
        super()._uninstrument(**kwargs)
        self._active.discard(type(self))
        if not self._active:
            release()

    def strip_unless_ours(self, url: str, headers: Any) -> None:
        """Take our headers out of *headers* if *url*, the place a request is redirected to, is not ours."""
        try:
            if headers and not self.guide.own_services.is_ours(url):
                strip(headers)
        except Exception as error:  # noqa: BLE001 - the application's request goes on
            internal_error("redirect a request", error)


class RequestsInstrumentor(HttpClientInstrumentor):
    library = "requests"
    sends = ("Session", "send")
    stock = "opentelemetry.instrumentation.requests:RequestsInstrumentor"

    def after(self, library: ModuleType) -> None:
        wrapt.wrap_function_wrapper(library.sessions.SessionRedirectMixin, "rebuild_auth", self._rebuild_auth)
        watch_retries(self)
        super().after(library)

    def before_undoing(self) -> None:
        import requests

        super().before_undoing()
        stop_watching_retries(self)
        unwrap(requests.sessions.SessionRedirectMixin, "rebuild_auth")

    def _rebuild_auth(self, wrapped: Callable[..., Any], _session: Any, args: Any, kwargs: Any) -> Any:
        request = args[0] if args else kwargs.get("prepared_request")
        if request is not None:
            self.strip_unless_ours(str(request.url), request.headers)
        return wrapped(*args, **kwargs)


class HttpxInstrumentor(HttpClientInstrumentor):
    library = "httpx"
    sends = ("HTTPTransport", "handle_request")
    stock = "opentelemetry.instrumentation.httpx:HTTPXClientInstrumentor"

    def before(self, library: ModuleType) -> None:
        watch_connection_retries(library)
        super().before(library)

    def after_undoing(self) -> None:
        import httpx

        super().after_undoing()
        stop_watching_connection_retries(httpx)

    def after(self, library: ModuleType) -> None:
        base = library.Client.__mro__[1]
        if hasattr(base, "_redirect_headers"):
            wrapt.wrap_function_wrapper(base, "_redirect_headers", self._redirect_headers)
        super().after(library)

    def before_undoing(self) -> None:
        import httpx

        super().before_undoing()
        base = httpx.Client.__mro__[1]
        if hasattr(base, "_redirect_headers"):
            unwrap(base, "_redirect_headers")

    def _redirect_headers(self, wrapped: Callable[..., Any], _client: Any, args: Any, kwargs: Any) -> Any:
        headers = wrapped(*args, **kwargs)
        url = args[1] if len(args) > 1 else kwargs.get("url")
        self.strip_unless_ours(str(url), headers)
        return headers


class UrllibInstrumentor(HttpClientInstrumentor):
    library = "urllib.request"
    sends = ("OpenerDirector", "open")
    stock = "opentelemetry.instrumentation.urllib:URLLibInstrumentor"

    def after(self, library: ModuleType) -> None:
        wrapt.wrap_function_wrapper(library.OpenerDirector, "open", _open)
        wrapt.wrap_function_wrapper(library.HTTPRedirectHandler, "redirect_request", self._redirect_request)
        super().after(library)

    def before_undoing(self) -> None:
        import urllib.request

        super().before_undoing()
        unwrap(urllib.request.OpenerDirector, "open")
        unwrap(urllib.request.HTTPRedirectHandler, "redirect_request")

    def _redirect_request(self, wrapped: Callable[..., Any], _handler: Any, args: Any, kwargs: Any) -> Any:
        request = wrapped(*args, **kwargs)
        if request is not None:
            self.strip_unless_ours(request.full_url, request.headers)
        return request


class Urllib3Instrumentor(HttpClientInstrumentor):
    library = "urllib3"
    sends = ("HTTPConnectionPool", "urlopen")
    stock = "opentelemetry.instrumentation.urllib3:URLLib3Instrumentor"

    def after(self, library: ModuleType) -> None:
        watch_retries(self)
        super().after(library)

    def before_undoing(self) -> None:
        super().before_undoing()
        stop_watching_retries(self)


class AiohttpClientInstrumentor(HttpClientInstrumentor):
    library = "aiohttp"
    stock = "opentelemetry.instrumentation.aiohttp_client:AioHttpClientInstrumentor"

    def options(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {**super().options(arguments), "response_hook": self._describe_end}

    def before(self, library: ModuleType) -> None:
        wrapt.wrap_function_wrapper(library.ClientSession, "__init__", self._watch_redirects)

    def after_undoing(self) -> None:
        import aiohttp

        unwrap(aiohttp.ClientSession, "__init__")

    def _watch_redirects(self, wrapped: Callable[..., Any], _session: Any, args: Any, kwargs: Any) -> Any:
        import aiohttp

        async def when_redirected(_session: Any, _context: Any, params: Any) -> None:
            location = params.response.headers.get("Location") or params.response.headers.get("URI") or ""
            self.strip_unless_ours(str(params.response.url.join(type(params.url)(location))), params.headers)

        configs = [*(kwargs.get("trace_configs") or [])]
        # Rather the instrumentor's than one more: aiohttp makes a call to each at every point of a request.
        watch = next((one for one in configs if hasattr(one, "_is_instrumented_by_opentelemetry")), None)
        if watch is None:
            configs.append(watch := aiohttp.TraceConfig())
        watch.on_request_redirect.append(when_redirected)
        return wrapped(*args, **{**kwargs, "trace_configs": configs})

    def _describe_end(self, span: Any, params: Any) -> None:
        error = getattr(params, "exception", None)
        try:
            if error is not None:
                self.guide.name_cause(span, error)
            elif params.response.status >= 500:
                self.guide.count_failure(span)
            else:
                self.guide.count_success(span)
        except Exception as own_error:  # noqa: BLE001 - the application's request goes on
            internal_error("describe the end of a request", own_error)


def _open(wrapped: Callable[..., Any], _opener: Any, args: Any, kwargs: Any) -> Any:
    """Keep the stock instrumentor from changing what urllib does.

    It hands timeout=None on where none was given, and so overrules socket.setdefaulttimeout(); it asks a body of unknown
    length for its length; and it takes what is read from files for an answer of a server.
    """
    target = args[0] if args else kwargs.get("fullurl")
    data = args[1] if len(args) > 1 else kwargs.get("data")
    if len(args) < 3 and "timeout" not in kwargs:
        kwargs = {**kwargs, "timeout": socket._GLOBAL_DEFAULT_TIMEOUT}  # type: ignore[attr-defined] # urllib's own default
    url = target if isinstance(target, str) else str(getattr(target, "full_url", ""))
    body = data if data is not None else getattr(target, "data", None)
    if urlsplit(url).scheme.lower() in _SCHEMES and (body is None or hasattr(body, "__len__")):
        return wrapped(*args, **kwargs)
    with suppress_http_instrumentation():
        return wrapped(*args, **kwargs)
