"""A signed POST of JSON to any program: `webhook+https://host/path`.

`X-E2Edebug-Signature: t=<unix seconds>,v1=<hex>` is the HMAC-SHA256 of `<t>.<body>` with the route's secret, so that the
receiver knows who sent it and when. No redirect is followed, and no more than 4 KiB of an answer are read.
"""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from e2edebug.alerts.channels.addresses import AddressPolicy
from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage, PermanentDeliveryError

SCHEMES: Final = ("webhook+https", "webhook+http")
TIMEOUT_S: Final = 5.0
MOST_ANSWER_BYTES: Final = 4096
_RETRIED: Final = (408, 425, 429)


class WebhookChannel:
    """One address."""

    def __init__(
        self, url: str, *, secret: str, policy: AddressPolicy, now_unix_s: Callable[[], float] = time.time
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise PermanentDeliveryError("the address is not of the form webhook+https://host/path")
        self._is_tls = parts.scheme == "webhook+https"
        self._host = parts.hostname
        try:
            self._port = parts.port or (443 if self._is_tls else 80)
        except ValueError as error:
            raise PermanentDeliveryError("the address has a port that is no number") from error
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret
        self._policy = policy
        self._now_unix_s = now_unix_s

    def send(self, message: OutgoingMessage) -> None:
        """POST the message's payload."""
        body = json.dumps(
            {**message.payload, "id": message.notification_id, "possible_repeat": message.is_possible_repeat}
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "e2edebug",
            "X-E2Edebug-Delivery": str(message.notification_id),
        }
        if self._secret:
            headers["X-E2Edebug-Signature"] = signature(self._secret, body, at_unix_s=int(self._now_unix_s()))
        if not self._is_tls and self._policy.allows_public_only:
            raise PermanentDeliveryError("messages go over https; http is for networks that are allowed by name")
        family, address = self._policy.resolve(self._host, self._port)
        status = self._post(family, address, body, headers)
        if 200 <= status < 300:
            return
        text = f"{self._host} answered {status}"
        if status >= 500 or status in _RETRIED:
            raise DeliveryError(text)
        raise PermanentDeliveryError(text + (", and redirects are not followed" if 300 <= status < 400 else ""))

    def _post(
        self, family: socket.AddressFamily, address: tuple[object, ...], body: bytes, headers: dict[str, str]
    ) -> int:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(TIMEOUT_S)
            raw.connect(address)
            # The certificate is checked for the name, the connection goes to the address that was checked.
            connection.sock = (
                ssl.create_default_context().wrap_socket(raw, server_hostname=self._host) if self._is_tls else raw
            )
            connection.request("POST", self._path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read(MOST_ANSWER_BYTES)
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(f"{self._host} could not be reached: {error or type(error).__name__}") from error
        finally:
            connection.close()
            raw.close()


def signature(secret: str, body: bytes, *, at_unix_s: int) -> str:
    """Return the value of X-E2Edebug-Signature."""
    digest = hmac.new(secret.encode(), f"{at_unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_unix_s},v1={digest}"
