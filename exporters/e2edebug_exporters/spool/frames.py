"""Frames in an append-only file: what was written whole is read whole, whatever happened to the bytes around it.

    magic (4) | payload length (4) | rows (4) | CRC-32 of the payload (4) | CRC-32 of these four fields (4) | payload

All numbers are unsigned and little-endian. The header has a checksum of its own, so that a flipped bit in a payload
costs that frame only: the length is still known to be right, and so is how many rows went with it.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

MAGIC: Final = b"\xe2DB1"
_FIELDS: Final = struct.Struct("<4sIII")
_CHECKSUM: Final = struct.Struct("<I")
HEADER_BYTES: Final = _FIELDS.size + _CHECKSUM.size


class Frame(NamedTuple):
    """One whole frame."""

    start: int
    end: int
    rows: int
    payload: bytes


class Damage(NamedTuple):
    """Bytes that are no whole frame: a torn tail, or what something else has written over."""

    start: int
    end: int
    rows: int | None
    """How many rows are lost with it, where the header could still be read."""


def encode_frame(payload: bytes, *, rows: int) -> bytes:
    """Return *payload*, which holds *rows* rows, as one frame."""
    fields = _FIELDS.pack(MAGIC, len(payload), rows, zlib.crc32(payload))
    return fields + _CHECKSUM.pack(zlib.crc32(fields)) + payload


def read_frames(data: bytes, start: int = 0) -> Iterator[Frame | Damage]:
    """Yield what *data* holds from *start* on, in order; every byte belongs to exactly one frame or damage.

    Never raises. After damage, reading goes on with the next header whose checksum is right.
    """
    position = start
    while position < len(data):
        header = _read_header(data, position)
        if header is None:
            found = _next_header(data, position + 1)
            yield Damage(position, found, None)
            position = found
            continue
        length, rows, checksum = header
        end = position + HEADER_BYTES + length
        payload = data[position + HEADER_BYTES : end]
        if len(payload) == length and zlib.crc32(payload) == checksum:
            yield Frame(position, end, rows, payload)
        else:
            # A frame that lost bytes in its middle runs into the next one, which must not be lost with it.
            end = min(end, _next_header(data, position + HEADER_BYTES))
            yield Damage(position, end, rows)
        position = end


def _read_header(data: bytes, position: int) -> tuple[int, int, int] | None:
    fields = data[position : position + _FIELDS.size]
    checksum = data[position + _FIELDS.size : position + HEADER_BYTES]
    if not fields.startswith(MAGIC) or len(checksum) < _CHECKSUM.size:
        return None
    if zlib.crc32(fields) != _CHECKSUM.unpack(checksum)[0]:
        return None
    _magic, length, rows, payload_checksum = _FIELDS.unpack(fields)
    return length, rows, payload_checksum


def _next_header(data: bytes, position: int) -> int:
    """Return where the next readable header begins, or the end of *data*."""
    while (found := data.find(MAGIC, position)) >= 0:
        if _read_header(data, found) is not None:
            return found
        position = found + 1
    return len(data)
