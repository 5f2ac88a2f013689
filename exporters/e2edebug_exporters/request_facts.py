"""Which request an error happened in, and for whom: from the attributes of an event, its span, or the request's span."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from e2edebug.policy import attributes as names
from e2edebug.policy.plain_values import text_of
from e2edebug_exporters.column_text import ColumnText


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The columns of an error that tell of its request."""

    user_id: str | None
    path: str | None
    method: str | None
    user_agent: str | None
    ip_address: str | None


def request_facts(
    sources: Sequence[Mapping[str, Any]], texts: ColumnText, limits: Mapping[str, int], *, with_address: bool
) -> RequestFacts:
    """Return what the *sources* (raw attributes, the most telling first) say, with old and new names."""
    return RequestFacts(
        user_id=texts.optional_name(_first(sources, names.USER_ID, "user.id"), limits["user_id"]),
        path=texts.path(_path(sources), limits["request_path"]),
        method=texts.optional_name(_first(sources, "http.request.method", "http.method"), limits["request_method"]),
        user_agent=texts.optional_name(_first(sources, "user_agent.original", "http.user_agent"), limits["user_agent"]),
        ip_address=(
            texts.optional_name(_first(sources, *_CLIENT_ADDRESSES), limits["ip_address"]) if with_address else None
        ),
    )


def _path(sources: Sequence[Mapping[str, Any]]) -> str | None:
    path = _first(sources, "url.path", "http.target")
    if path is not None:
        return text_of(path).partition("?")[0]
    url = _first(sources, "url.full", "http.url")
    if not isinstance(url, str):
        return None
    try:
        return urlsplit(url).path or "/"
    except ValueError:  # "Invalid IPv6 URL"
        return None


def _first(sources: Sequence[Mapping[str, Any]], *keys: str) -> Any:
    for source in sources:
        for key in keys:
            value = source.get(key)
            if value is not None and value != "":
                return value
    return None


_CLIENT_ADDRESSES: Final = ("client.address", "http.client_ip", "net.peer.ip", "net.sock.peer.addr")
