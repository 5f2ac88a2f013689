"""A batch of rows as the payload of a frame, and back: compressed JSON that names its columns.

Names, because the reader may be another version than the writer: a column that the reader has gained gets its default,
and a frame with columns that the reader does not know waits for a version that does. Rows have passed the sanitiser and
the redaction before they come here, so a frame holds nothing that the store would not.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final, NamedTuple, cast

from e2edebug_exporters.rows import (
    STEP_COLUMNS,
    ErrorRow,
    RowBatch,
    SessionFacts,
    SharedColumns,
    SnapshotRow,
    StepRow,
)

FORMAT: Final = 1
_LONGEST_PAYLOAD: Final = 256 * 1024 * 1024
"""Unpacked. A batch is cut at 8 MiB of estimated memory; this bounds what a forged frame may ask for."""
_FACTS: Final = tuple(one.name for one in fields(SessionFacts))
_STEP_FIELDS: Final = (*STEP_COLUMNS, "session_facts")
_COLUMNS: Final[dict[str, Sequence[str]]] = {
    "steps": _STEP_FIELDS,
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
        "steps": [(*row.values, row.session_facts) for row in batch.steps],
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
    batch = RowBatch(
        steps=_steps(document, make_facts),
        errors=[ErrorRow._make(values) for values in _values(document, "errors", ErrorRow._field_defaults)],
        snapshots=[SnapshotRow._make(values) for values in _values(document, "snapshots", {})],
    )
    return SpooledBatch(batch, str(document["schema"]))


def _as_list(value: object) -> list[object]:
    if isinstance(value, SessionFacts):
        return [getattr(value, name) for name in _FACTS]
    raise TypeError(f"a row holds a {type(value).__name__}")


def _steps(document: Any, make_facts: Any) -> list[StepRow]:
    rows = []
    alike: dict[SharedColumns, SharedColumns] = {}
    for *columns, facts in _values(document, "steps", StepRow._field_defaults, nested="session_facts"):
        row = StepRow.of(dict(zip(STEP_COLUMNS, columns, strict=True)))
        rows.append(
            row._replace(
                shared=alike.setdefault(row.shared, row.shared),
                session_facts=None if facts is None else _facts(facts, make_facts),
            )
        )
    return rows


def _values(
    document: Any, table: str, defaults: dict[str, Any], *, nested: str | None = None
) -> Iterator[Sequence[Any]]:
    """Yield the values of each row in the order of _COLUMNS: plain ones, but for the one that is *nested*."""
    wanted = _COLUMNS[table]
    make = _maker(document["columns"][table], wanted, defaults)
    for values in document[table]:
        made = make(values)
        for name, value in zip(wanted, made, strict=True):
            if type(value) not in _PLAIN and name != nested:
                raise UnreadablePayloadError(f"{table} hold a {type(value).__name__}")
        yield made


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
