"""What a step is called: the component it happened in, and the operation that happened.

Explicit attributes win; else a database step is named after its table and verb, an outgoing call after its host,
method and path, a request after its route.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from e2edebug.policy import attributes as names
from e2edebug.policy.plain_values import text_of
from e2edebug.policy.route_text import readable_route
from e2edebug_exporters.attribute_json import Facts

UNKNOWN: Final = "unknown"
NO_ROUTE: Final = "(no route)"
"""The component of requests that no view took: the path would make a component of each address that a scanner tries."""


def component_of(layer: str, facts: Facts, table: str, span_name: str, scope: str) -> str:
    """Return the component; never empty. table: the statement's main table, if there is one."""
    explicit = facts.get(names.COMPONENT)
    if explicit:
        return text_of(explicit)
    if layer == "database":
        return text_of(
            facts.get("db.collection.name")
            or table
            or facts.get("db.namespace")
            or facts.get("db.system.name")
            or UNKNOWN
        )
    if layer == "cache":
        return _first(
            facts, "cache.alias", "cache.backend", "cache.system", "server.address", "db.namespace", "db.system.name"
        )
    if layer == "external":
        return _called_host(facts, span_name)
    if layer == "frontend":
        return _first(
            facts, "next.route", "http.route", "url.path", otherwise=code_owner_of(facts) or scope or span_name
        )
    route = _route(facts) or _first(facts, "rpc.service", "messaging.destination.name", otherwise="")
    if not route and "http.request.method" in facts and layer == "api":
        return NO_ROUTE
    return route or code_owner_of(facts) or scope or UNKNOWN


def operation_of(layer: str, facts: Facts, verb: str, span_name: str) -> str:
    """Return the operation; never empty. verb: the statement's (`SELECT`), if there is one."""
    explicit = facts.get(names.OPERATION)
    if explicit:
        return text_of(explicit)
    if layer == "database":
        return text_of(facts.get("db.operation.name") or verb or _first_word(span_name))
    if layer == "cache":
        return text_of(facts.get("cache.operation") or facts.get("db.operation.name") or verb or _first_word(span_name))
    method = facts.get("http.request.method")
    if method:
        path = _requested_path(facts) if layer == "external" else _route(facts) or _requested_path(facts)
        return f"{method} {_with_slash(path)}" if path else (span_name or text_of(method))
    return text_of(facts.get("rpc.method") or span_name or facts.get("messaging.operation.name") or UNKNOWN)


def root_operation_of(facts: Facts, operation: str, span_name: str) -> str:
    """Return what a workflow is called by its root: `GET /api/products/<int:pk>/`, else the span's name."""
    method = facts.get("http.request.method")
    route = route_with_slash(facts)
    return f"{method} {route}" if method and route else span_name or operation


def code_location_of(facts: Facts) -> str | None:
    """Return `path/of/file.py:12 in function`, or None."""
    path = facts.get("code.file.path")
    line = facts.get("code.line.number")
    function = facts.get("code.function.name")
    if not path:
        return text_of(function) if function else None
    location = f"{path}:{line}" if line is not None else text_of(path)
    return f"{location} in {function}" if function else location


def code_owner_of(facts: Mapping[str, Any]) -> str:
    """Return the class or module that runs: `CartService` of `shop.cart.CartService.price`; '' when nobody says."""
    namespace = facts.get("code.namespace")
    if namespace:
        return text_of(namespace).rpartition(".")[2]
    return text_of(facts.get("code.function.name") or "").rpartition(".")[0].rpartition(".")[2]


def route_with_slash(facts: Facts) -> str:
    """Return the route, else the path, as URLs write it; '' without either."""
    route = _route(facts) or text_of(facts.get("url.path") or "")
    return _with_slash(route) if route else ""


def _route(facts: Facts) -> str:
    route = facts.get("http.route")
    return (readable_route(text_of(route)) or "/") if route else ""


def _called_host(facts: Facts, span_name: str) -> str:
    for key in ("peer.service", "server.address", "messaging.destination.name", "rpc.service", "network.peer.address"):
        value = facts.get(key)
        if value:
            return _without_port(text_of(value))
    url = facts.get("url.full")
    host = _split(url).hostname if isinstance(url, str) else None
    return host or text_of(facts.get("messaging.system") or _first_word(span_name))


def _requested_path(facts: Facts) -> str:
    path = facts.get("url.path")
    if path:
        return text_of(path).partition("?")[0]
    url = facts.get("url.full")
    return (_split(url).path or "/") if isinstance(url, str) else ""


@lru_cache(maxsize=16)  # host and path of one URL are asked for one after the other
def _split(url: str) -> Any:
    try:
        split = urlsplit(url)
        _ = split.hostname
    except ValueError:  # "Invalid IPv6 URL"
        return urlsplit("")
    return split


def _first(facts: Facts, *keys: str, otherwise: str = UNKNOWN) -> str:
    for key in keys:
        value = facts.get(key)
        if value:
            return text_of(value)
    return otherwise


def _first_word(text: str) -> str:
    return text.split(None, 1)[0] if text.strip() else UNKNOWN


def _with_slash(path: str) -> str:
    return path if path.startswith("/") or "://" in path else "/" + path


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and (":" not in name or name.endswith("]")) else host
