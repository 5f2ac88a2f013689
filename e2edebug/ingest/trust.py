"""What a sender may say of others: a service of yours much, a browser, whose key everybody can read, only of itself."""

import hashlib
import re
from typing import Final

from e2edebug.ingest.received_span import SpanWords
from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.ingest_keys import IngestKey
from e2edebug_instrumentation.correlation.id_reuse import IdReuse

_OURS: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_CLAIMS: Final = (names.USER_ID, names.USER_LABEL)


class Trust:
    """Takes back what the holder of one key may not say, on the spans of one request."""

    def __init__(self, key: IngestKey, id_reuse: IdReuse) -> None:
        self._is_browser = key.kind == "browser"
        self._id_reuse = id_reuse
        self._admitted: dict[tuple[str, bytes], bool] = {}
        """Asked once per id and trace: the spans of several traces come mixed, and would each be counted anew."""

    def limit(self, words: SpanWords) -> None:
        """Change the attributes of a span in place."""
        attributes = words.attributes
        if names.SESSION_KEY in attributes:
            attributes[names.SESSION_KEY] = _session_digest(attributes[names.SESSION_KEY])
        if names.CORRELATION_ID in attributes and not self._admits(attributes[names.CORRELATION_ID], words.trace_id):
            attributes[names.CORRELATION_ID_RECEIVED] = attributes.pop(names.CORRELATION_ID)
        if self._is_browser:
            for name in _CLAIMS:
                attributes.pop(name, None)
            attributes[names.LAYER] = "frontend"
            attributes[names.RECEIVED_FROM] = "browser"

    def _admits(self, given: object, trace_id: bytes) -> bool:
        received = correlation_id.accept(given)
        if received is None:
            return False
        known = (received, trace_id)
        if known not in self._admitted:
            self._admitted[known] = self._id_reuse.admits(received, int.from_bytes(trace_id))
        return self._admitted[known]


def _session_digest(given: object) -> str:
    """Whoever holds a session's key is its user, and a sender may take the key for its id: digested as our own are."""
    text = str(given)
    return text if _OURS.fullmatch(text) else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
