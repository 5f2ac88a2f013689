"""Reading the body of a WSGI request, also one that came in chunks.

WSGI knows Content-Length only (PEP 3333): a body in chunks reads as empty in Django, and an empty OTLP request in
protobuf is a valid one, so its spans were lost with 200. Servers that decode chunks themselves, and end the stream, say
so by `wsgi.input_terminated`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from e2edebug.ingest.body import Read


def reader_of(environ: Mapping[str, Any], read_counted: Read) -> Read | None:
    """Return what reads the body; None where it came in chunks and the server does not tell where they end.

    read_counted: reads as many bytes as Content-Length says.
    """
    if not environ.get("HTTP_TRANSFER_ENCODING"):
        return read_counted
    if not environ.get("wsgi.input_terminated"):
        return None
    read: Callable[[int], bytes] = environ["wsgi.input"].read
    return read
