"""What a server span says about its request: OpenTelemetry's own attributes, without what must not be captured."""

from typing import Any
from urllib.parse import unquote_plus

from django.core.handlers.asgi import ASGIRequest
from opentelemetry.instrumentation import asgi, wsgi

from e2edebug.policy import attributes as names
from e2edebug_instrumentation.django_requests.environ_attributes import environ_attributes

_collect_asgi: Any = asgi.collect_request_attributes  # has no annotations
_CLIENT_ADDRESS = ("net.peer.ip", "net.peer.port", "net.peer.name", "client.address", "client.port")
_URLS = ("http.url", "http.target")
_MAX_QUERY_NAMES = 20
_MAX_QUERY_NAME_LENGTH = 64


def request_attributes(request: Any, semconv_mode: Any, *, capture_client_address: bool) -> dict[str, Any]:
    """Return the attributes with which the server span of *request* starts.

    semconv_mode: which HTTP conventions, as OTEL_SEMCONV_STABILITY_OPT_IN chose them; `url.path` is always there.
    Query strings keep their names and lose their values (tokens, e-mail addresses, search words), whatever the mode.
    """
    if isinstance(request, ASGIRequest):
        # The stock function would put the query, decoded, into three attributes.
        scope = {**request.scope, "query_string": b""}
        attributes: dict[str, Any] = _collect_asgi(scope, semconv_mode)
    else:
        found = environ_attributes(request.META, semconv_mode, with_client_address=capture_client_address)
        if found is not None:
            return _with_path_and_query(found, request)
        attributes = wsgi.collect_request_attributes(request.META, semconv_mode)
        for name in _URLS:
            url = attributes.get(name)
            if url is not None:
                attributes[name] = url.partition("?")[0]
    if not capture_client_address:
        for name in _CLIENT_ADDRESS:
            attributes.pop(name, None)
    attributes.pop("url.query", None)
    return _with_path_and_query(attributes, request)


def _with_path_and_query(attributes: dict[str, Any], request: Any) -> dict[str, Any]:
    attributes[names.REQUEST_PATH] = request.path
    query = request.META.get("QUERY_STRING")
    if query:
        attributes["url.query"] = _without_values(query)
    return attributes


def _without_values(query: str) -> str:
    # `?eyJhbGciOi...`: what has no name is a value.
    parts = query[:8192].split("&", _MAX_QUERY_NAMES)[:_MAX_QUERY_NAMES]
    shown = []
    for part in parts:
        name, equals, _ = part.partition("=")
        if not equals:
            shown.append("?")
        elif name.isalnum() and len(name) <= _MAX_QUERY_NAME_LENGTH:
            shown.append(f"{name}=?")
        else:
            shown.append(f"{unquote_plus(name)[:_MAX_QUERY_NAME_LENGTH]}=?")
    return "&".join(shown)
