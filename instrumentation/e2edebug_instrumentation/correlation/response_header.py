"""Tells the browser the correlation id of the request it made."""

from typing import Final, Protocol

HEADER: Final = "X-Correlation-ID"
EXPOSE_HEADER: Final = "Access-Control-Expose-Headers"
_LOWER_HEADER: Final = HEADER.lower()
_LOWER_EXPOSE_HEADER: Final = EXPOSE_HEADER.lower()


class Headers(Protocol):
    """A response's headers, case-insensitive: Django's HttpResponse and its like."""

    def __contains__(self, name: str, /) -> bool: ...
    def __getitem__(self, name: str, /) -> str: ...
    def __setitem__(self, name: str, value: str, /) -> None: ...


def set_correlation_id_header(headers: Headers, correlation_id: str) -> None:
    """Put *correlation_id* into *headers* and let scripts of other origins read it.

    A header of this name that the application set itself stays, and names already exposed stay exposed. Exposing the
    name grants nobody anything: without Access-Control-Allow-Origin the browser ignores it (Fetch standard,
    "CORS-safelisted response-header name").
    """
    # Django keeps headers by their name in lower case; asked one by one they take 30 calls and two exceptions.
    stored = getattr(getattr(headers, "headers", None), "_store", None)
    if type(stored) is dict and _LOWER_HEADER not in stored and _LOWER_EXPOSE_HEADER not in stored:
        # An id is 1 to 64 of [A-Za-z0-9._-], so nothing has to be looked at or encoded.
        stored[_LOWER_HEADER] = HEADER, correlation_id
        stored[_LOWER_EXPOSE_HEADER] = EXPOSE_HEADER, HEADER
        return
    if HEADER not in headers:
        headers[HEADER] = correlation_id
    if EXPOSE_HEADER not in headers:
        headers[EXPOSE_HEADER] = HEADER
        return
    exposed = headers[EXPOSE_HEADER]
    if HEADER.lower() not in (name.strip().lower() for name in exposed.split(",")):
        headers[EXPOSE_HEADER] = f"{exposed}, {HEADER}" if exposed.strip() else HEADER
