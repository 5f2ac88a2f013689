"""A batch of rows as the payload of a frame, and back: compressed JSON that names its columns.

Names, because the reader may be another version than the writer: a column that the reader has gained gets its default,
and a frame with columns that the reader does not know waits for a version that does. Rows have passed the sanitiser and
the redaction before they come here, so a frame holds nothing that the store would not.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, Final, NamedTuple, cast

from e2edebug_exporters.rows import ErrorRow, RowBatch, SessionFacts, SnapshotRow, StepRow

FORMAT: Final = 1
_LONGEST_PAYLOAD: Final = 256 * 1024 * 1024
"""Unpacked. A batch is cut at 8 MiB of estimated memory; this bounds what a forged frame may ask for."""
_FACTS: Final = tuple(one.name for one in fields(SessionFacts))
_COLUMNS: Final[dict[str, Sequence[str]]] = {
    "steps": StepRow._fields,
    "errors": ErrorRow._fields,
    "snapshots": SnapshotRow._fields,
    "facts": _FACTS,
}
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class UnreadablePayloadError(ValueError):
    """A payload that is not what this module writes."""


class NewerPayloadError(Exception):
    """A payload that a newer version wrote; this one cannot tell what it means."""


class SpooledBatch(NamedTuple):
    """The rows of one frame."""

    batch: RowBatch
    schema_revision: str


def encode_batch(batch: RowBatch, *, schema_revision: str) -> bytes:
    """Return *batch* as a payload."""
    document = {
        "format": FORMAT,
        "schema": schema_revision,
        "columns": _COLUMNS,
        "steps": batch.steps,
        "errors": batch.errors,
        "snapshots": batch.snapshots,
    }
    # Level 1 packs rows to about an eighth, at 100 MB/s and without the interpreter's lock.
    return zlib.compress(json.dumps(document, separators=(",", ":"), default=_as_list).encode(), 1)


def decode_batch(payload: bytes) -> SpooledBatch:
    """Return the rows of *payload*. Raises UnreadablePayloadError, or NewerPayloadError, and nothing else."""
    try:
        return _decode(payload)
    except (NewerPayloadError, UnreadablePayloadError):
        raise
    except (zlib.error, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise UnreadablePayloadError(f"{type(error).__name__}: {error}"[:200]) from error


def _decode(payload: bytes) -> SpooledBatch:
    unpacked = zlib.decompressobj()
    text = unpacked.decompress(payload, _LONGEST_PAYLOAD)
    if not unpacked.eof:
        raise UnreadablePayloadError("it is cut off or too long")
    document = json.loads(text)
    if document["format"] != FORMAT:
        raise NewerPayloadError(f"its format is {document['format']!r}, this version reads {FORMAT}")
    facts_columns = document["columns"]["facts"]
    make_facts = _maker(facts_columns, _FACTS, {one.name: one.default for one in fields(SessionFacts)})
    steps = _rows(document, "steps", StepRow, nested=StepRow._fields.index("session_facts"))
    batch = RowBatch(
        steps=[row if row[-1] is None else row._replace(session_facts=_facts(row[-1], make_facts)) for row in steps],
        errors=_rows(document, "errors", ErrorRow),
        snapshots=_rows(document, "snapshots", SnapshotRow),
    )
    return SpooledBatch(batch, str(document["schema"]))


def _as_list(value: object) -> list[object]:
    if isinstance(value, SessionFacts):
        return [getattr(value, name) for name in _FACTS]
    raise TypeError(f"a row holds a {type(value).__name__}")


def _rows(document: Any, table: str, row_type: Any, *, nested: int | None = None) -> list[Any]:
    make = _maker(document["columns"][table], row_type._fields, row_type._field_defaults)
    rows = []
    for values in document[table]:
        row = row_type._make(make(values))
        for position, value in enumerate(row):
            if type(value) not in _PLAIN and position != nested:
                raise UnreadablePayloadError(f"{table} hold a {type(value).__name__}")
        rows.append(row)
    return rows


def _maker(written: Sequence[str], wanted: Sequence[str], defaults: dict[str, Any]) -> Any:
    """Return a function from values in the order *written* to values in the order *wanted*."""
    if tuple(written) == tuple(wanted):
        return lambda values: _exactly(values, len(wanted))
    unknown = set(written) - set(wanted)
    if unknown:
        raise NewerPayloadError(f"it has {', '.join(sorted(map(str, unknown)))}, which this version does not know")
    lacking = [name for name in wanted if name not in written and defaults.get(name, MISSING) is MISSING]
    if lacking:
        raise UnreadablePayloadError(f"it lacks {', '.join(lacking)}")

    def make(values: Any) -> list[Any]:
        by_name = dict(zip(written, _exactly(values, len(written)), strict=True))
        return [by_name[name] if name in by_name else defaults[name] for name in wanted]

    return make


def _exactly(values: Any, count: int) -> list[Any]:
    if not isinstance(values, list) or len(values) != count:
        raise UnreadablePayloadError("a row has another number of values than columns")
    return values


def _facts(values: Any, make: Any) -> SessionFacts:
    made = cast("list[Any]", make(values))
    if any(type(value) not in _PLAIN for value in made):
        raise UnreadablePayloadError("what a step says of its session is no plain value")
    return SessionFacts(*made)
