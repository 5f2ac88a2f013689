"""What must hold for any bytes at all, one function for each: a fuzzer calls them with what it has found out.

`make fuzz` lets atheris search, which follows the branches of our code; the suite calls them with hypothesis' bytes, so
that they do not rot. What either finds becomes a test with a name of its own, beside what it is about.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind, Status, StatusCode
from support import otlp
from support.rows import columns_of
from support.spans import START_UNIX_NS, make_span

from e2edebug.policy.redaction import MASK, Redactor
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.spool.frames import Frame, read_frames
from e2edebug_exporters.spool.row_payload import NewerPayloadError, UnreadablePayloadError, decode_batch
from e2edebug_exporters.statements.literals import LiteralCache, text
from e2edebug_exporters.statements.step_values import StepValues

SECRET: Final = "hunter2-0d1f77"
"""No target's input contains it by chance."""
_METADATA_CHARS: Final = 300_000
_NAMES: Final = (
    "correlation.id", "e2edebug.layer", "e2edebug.component", "e2edebug.operation", "e2edebug.metadata", "enduser.id",
    "session.id", "e2edebug.workflow.type", "e2edebug.workflow.metadata", "db.system", "db.statement", "db.query.text",
    "http.method", "http.target", "http.url", "url.full", "url.query", "http.route", "http.status_code",
    "code.file.path", "code.line.number", "net.peer.name", "exception.type", "exception.message",
    "exception.stacktrace", "user_agent.original", "error.type",
)  # fmt: skip


class Input:
    """Takes values off the front of some bytes; what is not there reads as zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self) -> int:
        """Return an integer of up to 80 bits, negative ones too."""
        return int.from_bytes(self.take(self.byte() % 11), "big", signed=True)

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def text(self) -> str:
        """Return a text with anything in it, lone surrogates too."""
        return self.take(self.byte()).decode("utf-8", "surrogateescape")

    def rest(self) -> str:
        return self.take(len(self._data)).decode("utf-8", "surrogateescape")

    def value(self, depth: int = 4) -> Any:
        """Return an attribute's value of any kind."""
        kind = self.byte() % 9
        if kind == 0:
            return None
        if kind == 1:
            return self.number()
        if kind == 2:
            return self.number() / 7 if self.byte() % 5 else float("nan")
        if kind == 3:
            return self.take(self.byte())
        if kind == 4:
            return bool(self.byte() % 2)
        if kind == 5 and depth:
            return [self.value(depth - 1) for _ in range(self.byte() % 4)]
        if kind == 6 and depth:
            return {self.text(): self.value(depth - 1) for _ in range(self.byte() % 4)}
        return self.text()

    def attributes(self) -> dict[str, Any]:
        found = {}
        for _ in range(self.byte() % 6):
            which = self.byte()
            found[_NAMES[which] if which < len(_NAMES) else self.text()] = self.value()
        return found


def sanitise(data: bytes) -> None:
    """A cleaned text fits, can be encoded, and stays as it is when it is cleaned again."""
    source = Input(data)
    limit, value = source.byte() * 4, source.rest()
    sanitizer = Sanitizer()
    for clean in (sanitizer.text, sanitizer.name, sanitizer.code):
        cleaned = clean(value, limit)
        assert len(cleaned) <= limit
        cleaned.encode()
        assert clean(cleaned, limit) == cleaned
        assert "\x00" not in cleaned
    assert sanitizer.code(value, limit).isascii()
    assert len(sanitizer.cut_bytes(sanitizer.clean(value), 64 + limit).encode()) <= 64 + limit


def redact(data: bytes) -> None:
    """Nothing raises, and a secret on a line of its own is gone whatever stands on the lines around it."""
    source = Input(data)
    redactor = Redactor()
    key, value, around = source.text(), source.value(), source.rest()
    redactor.attribute(key, value)
    for read in (redactor.text, redactor.url, redactor.error_message, redactor.stack_trace):
        read(around)
    assert redactor.attribute("api_key", value) == MASK
    nested = redactor.attribute(key, {"headers": [{"Authorization": f"Bearer {SECRET}"}], "note": value})
    assert SECRET not in repr(nested)
    for planted in (f"Authorization: Bearer {SECRET}", f"password={SECRET}", f"https://u:{SECRET}@shop.example/"):
        assert SECRET not in redactor.text(f"{around}\n{planted}\n{around}"), planted


def map_rows(data: bytes) -> None:
    """Any span becomes one row that fits its columns, whose literals are whole."""
    source = Input(data)
    span = make_span(
        source.text(),
        kind=list(SpanKind)[source.byte() % 5],
        attributes=source.attributes(),
        events=[Event("exception" if source.byte() % 2 else source.text(), source.attributes(), START_UNIX_NS)],
        start_unix_ns=source.number(),
        end_unix_ns=source.number() if source.byte() % 4 else None,
        status=Status(StatusCode.ERROR, source.rest()),
    )
    batch = RowBatch()

    assert RowMapper().add_spans(batch, [span]) == 0
    assert len(batch.steps) == 1
    limits = column_limits()
    for rows, limits_of_table in ((batch.steps, limits.step), (batch.errors, limits.error)):
        for row in rows:
            for column, value in columns_of(row).items():
                if isinstance(value, str):
                    value.encode()
                    assert "\x00" not in value
                    assert len(value) <= limits_of_table.get(column, _METADATA_CHARS), column
            json.loads(row.metadata, parse_constant=_refuse)
    for run in StepValues(LiteralCache()).of(batch.steps):
        assert all(literals.isascii() for literals in run)


def write_literals(data: bytes) -> None:
    """A literal is the text in quotes, with nothing in it that could end them, or hexadecimal digits of the same text."""
    value = data.decode("utf-8", "ignore")
    made = text(value)
    assert made.isascii()
    if made.startswith("'"):
        assert "'" not in made[1:-1]
        assert "\\" not in made
        assert made[1:-1] == value
    else:
        assert made.startswith("_utf8mb4 X'")
        assert bytes.fromhex(made[len("_utf8mb4 X'") : -1]).decode() == value


def read_spool(data: bytes) -> None:
    """Any file is read to its end; any payload is a batch, a newer version's, or unreadable."""
    position = 0
    for found in read_frames(data):
        assert found.start == position
        assert found.end > found.start
        position = found.end
        if isinstance(found, Frame):
            _decode(found.payload)
    assert position == len(data)
    _decode(data)
    _decode(zlib.compress(data))


def receive(data: bytes) -> None:
    """Any body in any encoding is answered as OTLP has it, and what was taken becomes rows."""
    source = Input(data)
    media_type = (otlp.PROTOBUF, otlp.JSON)[source.byte() % 2]
    encoding = ("", "gzip", "deflate")[source.byte() % 3]
    body = source.take(len(data))
    for sent, named in ((body, encoding), (zlib.compress(body), "deflate")):
        kept = otlp.Kept()
        told = otlp.Sender(kept).send(sent, media_type, content_encoding=named)  # type: ignore[arg-type]
        assert told.status in (200, 400, 413), told
        batch = RowBatch()
        assert RowMapper().add_spans(batch, kept.spans) == 0
        assert len(batch.steps) == len(kept.spans)


def _decode(payload: bytes) -> None:
    try:
        decode_batch(payload)
    except (UnreadablePayloadError, NewerPayloadError):
        return


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "sanitise": sanitise,
    "redact": redact,
    "map_rows": map_rows,
    "write_literals": write_literals,
    "read_spool": read_spool,
    "receive": receive,
}
