"""Which hosts are services of ours: they alone learn of our workflows."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

EVERYBODY: Final = "*"

_PRIVATE_ENDINGS: Final = (
    ".internal", ".local", ".localdomain", ".localhost", ".lan", ".home.arpa", ".svc", ".consul", ".test",
)  # fmt: skip
"""Endings that no public name has: reserved (RFC 2606, 6761, 6762, 8375; ICANN's .internal), or of cluster software."""


class OwnServices:
    """Answers whether a URL leads to a service of ours; each place that URLs name is judged once."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """Take the hosts of E2EDEBUG_PROPAGATE_TO; none: what only our own network can know is ours."""
        self._names: set[str] = set()
        self._endings: list[str] = []
        self._networks: list[IPv4Network | IPv6Network] = []
        self._is_everybody = False
        self._is_given = False
        for host in hosts:
            self._is_given = True
            self._add(host)
        self._is_place_ours = lru_cache(maxsize=1024)(self._judge)

    def is_ours(self, url: str) -> bool:
        """Tell whether *url* leads to a service of ours. A URL that cannot be read leads to nobody's."""
        try:
            # With all arguments, as urlparse() calls it: the instrumentors have parsed this URL by that, and what urlsplit()
            # keeps it finds by the arguments.
            place = urlsplit(url, "", True).netloc.rpartition("@")[2]
            return self._is_place_ours(place)
        except ValueError:
            return False

    def _add(self, host: str) -> None:
        if host == EVERYBODY:
            self._is_everybody = True
        elif host.startswith(("*.", ".")):
            self._endings.append(host.removeprefix("*"))
        else:
            try:
                self._networks.append(ip_network(host.strip("[]"), strict=False))
            except ValueError:
                self._names.add(host)

    def _judge(self, place: str) -> bool:
        parts = SplitResult("", place, "", "", "")
        port = parts.port  # ValueError if it is none
        host = (parts.hostname or "").lower().rstrip(".")
        if not host:
            return False
        if not self._is_given:
            return _is_private(host)
        if self._is_everybody or host in self._names or f"{host}:{port}" in self._names:
            return True
        if any(host.endswith(ending) for ending in self._endings):
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _is_private(host: str) -> bool:
    """Tell whether nobody outside can have this host: a name without a dot, a reserved ending, a private address."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_ENDINGS)
    # Link-local ones are not among them: 169.254.169.254 is the cloud provider's, not ours.
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)
