"""What OpenTelemetry's WSGI instrumentation reads of an environ, read in one go.

`opentelemetry.instrumentation.wsgi.collect_request_attributes` makes 30 calls for it, two of them for each name and
convention. A test holds that both say the same. What is out of the ordinary is left to that function.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.util.http import detect_synthetic_user_agent

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Those that the conventions know under any setting."""

_OLD_MODES: Final = frozenset((_StabilityMode.DEFAULT, _StabilityMode.HTTP_DUP))
_NEW_MODES: Final = frozenset((_StabilityMode.HTTP, _StabilityMode.HTTP_DUP))
_HTTP: Final = "HTTP/"
_LONGEST_KNOWN: Final = 512

_kind_of_known: Final = lru_cache(256)(detect_synthetic_user_agent)


def environ_attributes(environ: Mapping[str, Any], mode: Any, *, with_client_address: bool) -> dict[str, Any] | None:
    """Return the attributes of the request in *environ*, without its query string; None where only the stock function knows.

    mode: the stock instrumentor's, which says whether old names are wanted, new ones, or both.
    """
    has_old, has_new = mode in _OLD_MODES, mode in _NEW_MODES
    read = environ.get
    method, scheme, host, port = (
        read("REQUEST_METHOD"),
        read("wsgi.url_scheme"),
        read("HTTP_HOST"),
        read("SERVER_PORT"),
    )
    target = read("RAW_URI")
    if target is None:
        target = read("REQUEST_URI")
    agent, version = read("HTTP_USER_AGENT"), read("SERVER_PROTOCOL")
    if (
        method not in METHODS
        or (has_old and not target)
        or (type(port) is not str and port is not None)
        or (type(agent) is not str and agent is not None)
        or type(version) is not str
        or not (has_old or has_new)
    ):
        return None
    number = int(port) if port else 0
    version = version[len(_HTTP) :] if version[: len(_HTTP)].upper() == _HTTP else version
    kind = (_kind_of_known if len(agent) <= _LONGEST_KNOWN else detect_synthetic_user_agent)(agent) if agent else None
    found: dict[str, Any] = {}
    if has_old:
        found["http.method"] = method
        found["http.server_name"] = read("SERVER_NAME")
        if scheme:
            found["http.scheme"] = scheme
        if host:
            found["net.host.name"] = found["http.host"] = host
        if number:
            found["net.host.port"] = number
        found["http.target"] = (target or "").partition("?")[0]
        if agent:
            found["http.user_agent"] = agent
        if version:
            found["http.flavor"] = version
    if has_new:
        found["http.request.method"] = method
        if scheme:
            found["url.scheme"] = scheme
        if host:
            found["server.address"] = host
        if number:
            found["server.port"] = number
        if agent:
            found["user_agent.original"] = agent
        if version:
            found["network.protocol.version"] = version
    if kind:
        found["user_agent.synthetic.type"] = kind
    if with_client_address:
        _add_client(found, read("REMOTE_ADDR"), read("REMOTE_PORT"), read("REMOTE_HOST"), has_old, has_new)
    return found


def _add_client(found: dict[str, Any], address: Any, port: Any, name: Any, has_old: bool, has_new: bool) -> None:
    number = int(port) if port and str(port).isdecimal() else 0
    name = name if name != address else None
    if has_old:
        if address:
            found["net.peer.ip"] = address
        if number:
            found["net.peer.port"] = number
        if name:
            found["net.peer.name"] = name
    if has_new:
        if name or address:
            found["client.address"] = name or address
        if number:
            found["client.port"] = number
