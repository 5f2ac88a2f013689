"""Which pages of other origins may send (Fetch standard, "CORS protocol")."""

from collections.abc import Iterable
from typing import Final

from e2edebug.policy.ingest_keys import IngestKey

ALLOWED_HEADERS: Final = (
    "content-type, content-encoding, x-e2e-key, authorization, traceparent, tracestate, baggage, x-correlation-id"
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": ALLOWED_HEADERS,
    "Access-Control-Max-Age": "600",
}


def headers_for(origin: str | None, keys: Iterable[IngestKey], *, is_preflight: bool = False) -> dict[str, str]:
    """Return what lets a page of *origin* read the answer; without a key for it, nothing does.

    Credentials are never allowed: a browser sends no cookies here, and none would be looked at.
    """
    headers = {"Vary": "Origin"}
    if origin is not None and any(origin.lower() in key.origins for key in keys):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = "Retry-After"
        if is_preflight:
            headers |= _PREFLIGHT
    return headers
