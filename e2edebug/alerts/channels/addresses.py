"""Which addresses a message may be sent to: public ones, unless an operator allows a network by name.

An address in the configuration must not make the server knock on its own network (server-side request forgery). Names
are resolved once, each address is checked, and the connection is made to the checked address: a name that resolves
differently a moment later changes nothing.
"""

import contextlib
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from e2edebug.alerts.channels.channel import DeliveryError, PermanentDeliveryError

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")


class AddressPolicy:
    """Public addresses and the allowed networks."""

    def __init__(self, allowed_networks: Iterable[str] = ()) -> None:
        self._allowed = [ip_network(network) for network in allowed_networks]

    @property
    def allows_public_only(self) -> bool:
        """No private network is allowed."""
        return not self._allowed

    def allows(self, address: str) -> bool:
        """Tell whether *address*, as text, may be connected to."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        # is_global alone says yes to multicast, and to private addresses that are wrapped in IPv6 (Python 3.11).
        faces = {parsed, *_unwrapped(parsed)}
        if any(face in network for network in self._allowed for face in faces if face.version == network.version):
            return True
        return all(face.is_global and not face.is_multicast for face in faces)

    def resolve(self, host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
        """Return family and socket address of *host*. Raises PermanentDeliveryError unless every address may be used."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise DeliveryError(f"the name {host!r} cannot be resolved: {error}") from error
        for *_, sockaddr in found:
            if not self.allows(str(sockaddr[0])):
                raise PermanentDeliveryError(
                    f"{host!r} is at {sockaddr[0]}, which is not a public address; "
                    "allow its network in E2EDEBUG_NOTIFY_ALLOWED_NETWORKS if it is meant"
                )
        family, _, _, _, sockaddr = found[0]
        return family, sockaddr


def _unwrapped(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    inner: list[Address] = [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]
    if address in _NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return inner


_guard: ContextVar["tuple[AddressPolicy, list[str]] | None"] = ContextVar("e2edebug_guard", default=None)
_is_hooked = False
_hook_lock = threading.Lock()


@contextlib.contextmanager
def guarded_connections(policy: AddressPolicy) -> Iterator[list[str]]:
    """While the block runs, its context connects to allowed addresses only, whatever library it is that connects.

    Gives the list of refused addresses: libraries catch what is raised into them. An audit hook sees every connection
    with its resolved address, redirects included; it cannot be removed again, so it looks at the context, which
    threads that are handed work take with them.
    """
    global _is_hooked
    with _hook_lock:
        if not _is_hooked:
            sys.addaudithook(_on_audit)
            _is_hooked = True
    refused: list[str] = []
    token = _guard.set((policy, refused))
    try:
        yield refused
    finally:
        _guard.reset(token)


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    guard = _guard.get()
    if guard is None:
        return
    policy, refused = guard
    address = arguments[1]
    if not isinstance(address, tuple) or not policy.allows(str(address[0])):
        refused.append(str(address[0] if isinstance(address, tuple) else address))
        raise PermissionError(f"{address!r} is not a public address")
