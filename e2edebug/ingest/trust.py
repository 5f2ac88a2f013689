"""What a sender may say: a service of yours much, a browser, whose key everybody can read, only of itself.

And how much of it is worth the writing thread's time: an exception costs that thread 0.3 ms, and fits into 20 bytes.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Event

from e2edebug.ingest.received_span import SpanWords
from e2edebug.ingest.seen_names import OTHER, SeenNames
from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.ingest_keys import IngestKey
from e2edebug_exporters.attribute_names import COLUMN_FACTS, MAPPING_FACTS, NEW_NAMES
from e2edebug_instrumentation.correlation.id_reuse import IdReuse

EXCEPTION: Final = "exception"
MOST_EXCEPTIONS_OF_SPAN: Final = 16
MOST_EXCEPTIONS: Final = 1000
"""In one request."""

_OURS: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_DIGITS: Final = re.compile(r"\d+")
_CLAIMS: Final = (names.USER_ID, names.USER_LABEL)
_MEANT: Final = COLUMN_FACTS | MAPPING_FACTS | NEW_NAMES.keys() | {
    "exception.type", "exception.message", "exception.stacktrace",
}  # fmt: skip
"""What rows are made of: nobody can use up the room for it by sending other names first."""
_NAMING: Final = (names.COMPONENT, names.OPERATION)
_LONGEST_MESSAGE: Final = 200
_LONGEST_STACK: Final = 4096


class Trust:
    """Takes back what the holder of one key may not say, on the spans of one request."""

    def __init__(self, key: IngestKey, id_reuse: IdReuse, seen: SeenNames) -> None:
        self._is_browser = key.kind == "browser"
        self._id_reuse = id_reuse
        self._seen = seen
        self._admitted: dict[tuple[str, bytes], bool] = {}
        """Asked once per id and trace: the spans of several traces come mixed, and would each be counted anew."""
        self.exceptions = 0
        """How many were taken so far."""

    def service(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return a resource's attributes, with a service name that is not one too many."""
        name = attributes.get("service.name")
        return (
            {**attributes, "service.name": self._seen.known("service", name)} if isinstance(name, str) else attributes
        )

    def limit(self, words: SpanWords) -> None:
        """Change what a span says in place."""
        attributes = words.attributes
        words.left_out += self._leave_out_unknown(attributes)
        words.name = self._seen.known("span", words.name)
        words.events = self._events(words)
        for link in words.links:
            words.left_out += self._leave_out_unknown(link.attributes)
        for name in _NAMING:
            if isinstance(given := attributes.get(name), str):
                attributes[name] = self._seen.known("component", given)
        if names.SESSION_KEY in attributes:
            attributes[names.SESSION_KEY] = _session_digest(attributes[names.SESSION_KEY])
        if names.CORRELATION_ID in attributes and not self._admits(attributes[names.CORRELATION_ID], words.trace_id):
            attributes[names.CORRELATION_ID_RECEIVED] = attributes.pop(names.CORRELATION_ID)
        if self._is_browser:
            for name in _CLAIMS:
                attributes.pop(name, None)
            attributes[names.LAYER] = "frontend"
            attributes[names.RECEIVED_FROM] = "browser"

    def _leave_out_unknown(self, attributes: Mapping[str, Any] | None) -> int:
        if not isinstance(attributes, dict):
            return 0
        unknown = [name for name in attributes if name not in _MEANT and not self._seen.admits("attribute", name)]
        for name in unknown:
            del attributes[name]
        return len(unknown)

    def _events(self, words: SpanWords) -> list[Event]:
        kept: list[Event] = []
        of_span = 0
        for event in words.events:
            words.left_out += self._leave_out_unknown(event.attributes)
            if event.name == EXCEPTION:
                if of_span >= MOST_EXCEPTIONS_OF_SPAN or self.exceptions >= MOST_EXCEPTIONS:
                    words.left_out += 1
                    continue
                of_span += 1
                self.exceptions += 1
                if not self._seen.admits("error", _kind_of_error(event.attributes or {})):
                    event = Event(EXCEPTION, {"exception.type": OTHER}, event.timestamp)
            kept.append(event)
        return kept

    def _admits(self, given: object, trace_id: bytes) -> bool:
        received = correlation_id.accept(given)
        if received is None:
            return False
        known = (received, trace_id)
        if known not in self._admitted:
            self._admitted[known] = self._id_reuse.admits(received, int.from_bytes(trace_id))
        return self._admitted[known]


def _kind_of_error(attributes: Mapping[str, Any]) -> str:
    """Return what makes it an error of its own, about: each would open a group, which stays for a year."""
    message = str(attributes.get("exception.message", ""))[:_LONGEST_MESSAGE]
    stack = str(attributes.get("exception.stacktrace", ""))[-_LONGEST_STACK:]
    return _DIGITS.sub("", f"{attributes.get('exception.type')}\0{message}\0{stack}")


def _session_digest(given: object) -> str:
    """Whoever holds a session's key is its user, and a sender may take the key for its id: digested as our own are."""
    text = str(given)
    return text if _OURS.fullmatch(text) else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
