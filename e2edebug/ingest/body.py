"""The body of a request, read and decompressed within one limit, whatever its sender says of its length.

OTLP's limits hold after decompression (OTLP specification, "OTLP/HTTP Request"), so the body is decompressed while it is
read, and no more of it than the limit ever exists.
"""

import zlib
from collections.abc import Callable
from typing import Final

from e2edebug.ingest.refusal import Refusal, malformed, too_large

Read = Callable[[int], bytes]
"""Returns up to so many bytes, and none at the end of the body."""

_CHUNK_BYTES: Final = 65_536
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
"""What zlib calls the formats: RFC 1952 and RFC 1950. HTTP's "deflate" is the latter (RFC 9110, section 8.4.1.2)."""


def read_body(read: Read, *, encoding: str, length: int | None, limit_bytes: int) -> bytes:
    """Return the decompressed body.

    encoding: what Content-Encoding says, `` or `identity` for none. length: what Content-Length says, None for a body
    that ends by itself. Raises Refusal: 413 beyond *limit_bytes*, before or after decompression, 415 for another
    encoding, 400 for what is broken or ends early.
    """
    if length is not None and length > limit_bytes:
        raise too_large(limit_bytes)
    if encoding in ("", "identity"):
        return b"".join(_received(read, length, limit_bytes))
    if encoding not in _WINDOW_BITS:
        raise Refusal(415, "Content-Encoding is none of gzip, deflate and identity")
    return _decompressed(_received(read, length, limit_bytes), _WINDOW_BITS[encoding], limit_bytes)


def _received(read: Read, length: int | None, limit_bytes: int) -> list[bytes]:
    pieces: list[bytes] = []
    received = 0
    while True:
        try:
            piece = read(_CHUNK_BYTES)
        except Exception as error:  # the sender went away, or its chunks are none: gunicorn has its own errors
            raise malformed("the body could not be read to its end") from error
        if not piece:
            break
        received += len(piece)
        if received > limit_bytes:
            raise too_large(limit_bytes)
        pieces.append(piece)
    if length is not None and received < length:
        raise malformed("the body ended before its Content-Length")
    return pieces


def _decompressed(pieces: list[bytes], window_bits: int, limit_bytes: int) -> bytes:
    decompressor = zlib.decompressobj(window_bits)
    found: list[bytes] = []
    room = limit_bytes
    try:
        for piece in pieces:
            part = decompressor.decompress(piece, room + 1)
            room -= len(part)
            if room < 0 or decompressor.unconsumed_tail:
                raise too_large(limit_bytes)
            if decompressor.unused_data:  # a second member, which most readers skip without a word
                raise malformed("the compressed body is followed by something else")
            found.append(part)
    except zlib.error as error:
        raise malformed("the body is not what its Content-Encoding says") from error
    if pieces and not decompressor.eof:
        raise malformed("the compressed body is cut off")
    return b"".join(found)
