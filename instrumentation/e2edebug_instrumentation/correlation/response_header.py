"""Tells the browser the correlation id of the request it made."""

from typing import Final, Protocol

HEADER: Final = "X-Correlation-ID"
EXPOSE_HEADER: Final = "Access-Control-Expose-Headers"


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
    if HEADER not in headers:
        headers[HEADER] = correlation_id
    if EXPOSE_HEADER not in headers:
        headers[EXPOSE_HEADER] = HEADER
        return
    exposed = headers[EXPOSE_HEADER]
    if HEADER.lower() not in (name.strip().lower() for name in exposed.split(",")):
        headers[EXPOSE_HEADER] = f"{exposed}, {HEADER}" if exposed.strip() else HEADER
