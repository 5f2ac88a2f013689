"""Everything that apprise knows: e-mail, Slack, Teams, Telegram and a hundred more. Needs the extra `alerts`."""

from typing import Any, Final

from e2edebug.alerts.channels.addresses import AddressPolicy, guarded_connections
from e2edebug.alerts.channels.channel import DeliveryError, OutgoingMessage, PermanentDeliveryError

_COLOURS: Final = {"critical": "failure", "warning": "warning"}
_LOCAL: Final = frozenset({"file", "dbus", "gnome", "kde", "macosx", "syslog", "windows", "qt", "glib"})
"""Schemes of apprise that act on the machine itself instead of sending."""


class AppriseChannel:
    """One address of apprise."""

    def __init__(self, url: str, *, policy: AddressPolicy) -> None:
        scheme = url.partition(":")[0].lower()
        try:
            import apprise
        except ImportError as error:
            raise PermanentDeliveryError(
                f'{scheme}: messages are sent by apprise: pip install "e2edebug[alerts]"'
            ) from error
        self._scheme = scheme
        self._policy = policy
        # An address may come from the database; it must neither read files nor run programs here.
        asset = apprise.AppriseAsset(secure_logging=True, async_mode=False)
        # One service, called in this thread: the front that apprise has for many hands work to threads of its own.
        self._sender: Any = None if scheme in _LOCAL else apprise.Apprise.instantiate(url, asset=asset)
        if self._sender is None:
            raise PermanentDeliveryError(f"apprise does not understand the address {scheme}:…")

    def send(self, message: OutgoingMessage) -> None:
        """Hand the message to apprise, which says no more than yes or no."""
        kind = "success" if message.payload.get("kind") == "resolved" else _COLOURS.get(message.level or "", "info")
        with guarded_connections(self._policy) as refused:
            try:
                is_taken = self._sender.notify(body=message.text, title=message.subject, notify_type=kind)
            except Exception as error:
                raise DeliveryError(f"apprise failed with {type(error).__name__}") from error
        if refused:
            raise PermanentDeliveryError(
                f"{self._scheme}: leads to {refused[0]}, which is not a public address; "
                "allow its network in E2EDEBUG_NOTIFY_ALLOWED_NETWORKS if it is meant"
            )
        if not is_taken:
            raise DeliveryError(f"{self._scheme}: was not taken; apprise's log says why")
