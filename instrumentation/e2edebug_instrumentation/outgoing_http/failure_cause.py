"""Why a request got no answer, in plain words: every library has exceptions of its own for the same few causes."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple


class Cause(NamedTuple):
    """A cause as a name for machines and as words for people."""

    name: str
    words: str


DNS: Final = Cause("dns", "the host name could not be resolved")
TLS: Final = Cause("tls", "no secure connection (TLS) could be made")
CONNECT_TIMEOUT: Final = Cause("connect_timeout", "no connection could be made in time")
CONNECT: Final = Cause("connect", "no connection could be made")
REFUSED: Final = Cause("connect", "the connection was refused: nothing listens there")
READ_TIMEOUT: Final = Cause("read_timeout", "no answer came in time")
TIMEOUT: Final = Cause("timeout", "it took too long")
POOL_TIMEOUT: Final = Cause("pool_timeout", "no connection of the pool became free in time")
DISCONNECT: Final = Cause("disconnect", "the connection was broken off")
PROXY: Final = Cause("proxy", "the proxy could not be used")

# By the names of classes: none of these libraries is imported for the sake of a comparison.
_BY_NAME: Final = {
    "NameResolutionError": DNS,  # urllib3
    "ClientConnectorDNSError": DNS,  # aiohttp
    "ClientConnectorCertificateError": TLS,
    "ClientConnectorSSLError": TLS,
    "ClientSSLError": TLS,
    "ProxyError": PROXY,
    "ClientProxyConnectionError": PROXY,
    "ConnectTimeout": CONNECT_TIMEOUT,  # requests, httpx
    "ConnectTimeoutError": CONNECT_TIMEOUT,  # urllib3
    "ConnectionTimeoutError": CONNECT_TIMEOUT,  # aiohttp
    "PoolTimeout": POOL_TIMEOUT,
    "EmptyPoolError": POOL_TIMEOUT,
    "ReadTimeout": READ_TIMEOUT,
    "ReadTimeoutError": READ_TIMEOUT,
    "SocketTimeoutError": READ_TIMEOUT,  # aiohttp
    "RemoteDisconnected": DISCONNECT,
    "RemoteProtocolError": DISCONNECT,
    "ServerDisconnectedError": DISCONNECT,
    "ProtocolError": DISCONNECT,
    "ConnectError": CONNECT,
    "ClientConnectorError": CONNECT,
    "NewConnectionError": CONNECT,
}
_MOST_CAUSES: Final = 12


def cause_of(error: BaseException) -> Cause | None:
    """Return why the request failed, None for what is no failure of the way there and back."""
    fallback: Cause | None = None
    is_connecting = False
    for one in _chain(error):
        name = type(one).__name__
        if isinstance(one, socket.gaierror):
            return DNS
        if isinstance(one, ssl.SSLError):
            # Reading from a connection that does not answer ends in a TimeoutError, which is one as well.
            return READ_TIMEOUT if isinstance(one, TimeoutError) else TLS
        if isinstance(one, ConnectionRefusedError):
            return REFUSED
        known = _BY_NAME.get(name)
        if known is not None and known not in (CONNECT, DISCONNECT):
            return known
        is_connecting = is_connecting or known is CONNECT or name == "URLError"
        if isinstance(one, TimeoutError):
            # urllib wraps what happens before the request is sent, and only that.
            fallback = fallback if fallback in (READ_TIMEOUT, TIMEOUT) else _timeout(name, is_connecting)
        elif isinstance(one, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
            fallback = DISCONNECT
        elif known is not None:
            fallback = fallback or known
        elif name == "URLError" or (isinstance(one, OSError) and is_connecting):
            fallback = fallback or CONNECT
    return fallback


def _timeout(name: str, is_connecting: bool) -> Cause:
    if is_connecting:
        return CONNECT_TIMEOUT
    return READ_TIMEOUT if name in ("TimeoutError", "timeout") else TIMEOUT


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions behind *error*, however its library keeps them: causes, reasons, arguments."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending and len(seen) < _MOST_CAUSES:
        one = pending.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        reason = getattr(one, "reason", None)
        os_error = getattr(one, "os_error", None)
        pending += [found for found in (reason, os_error, *one.args) if isinstance(found, BaseException)]
        pending += [one.__cause__, one.__context__]
