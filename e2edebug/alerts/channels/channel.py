"""What a channel is: it takes a message or says why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class DeliveryError(Exception):
    """The message was not taken. The text is for people and holds no secret."""

    is_permanent = False


class PermanentDeliveryError(DeliveryError):
    """Trying again would change nothing: the address is wrong, forbidden, or refuses the message as such."""

    is_permanent = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message to one channel."""

    notification_id: int
    subject: str
    text: str
    level: str | None
    payload: Mapping[str, Any]
    is_possible_repeat: bool = False


class Channel(Protocol):
    """A way to people or machines."""

    def send(self, message: OutgoingMessage) -> None:
        """Return once *message* was taken; raise DeliveryError when it was not."""
