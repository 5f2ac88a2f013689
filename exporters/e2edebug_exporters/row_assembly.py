"""Items that waited become the rows of one batch, and the books follow what they turned into."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from e2edebug_exporters.bounded_queue import Entry, Item, Kind
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.recording.span import RecordingSpan
from e2edebug_exporters.row_mapper import UNMAPPABLE, RowMapper
from e2edebug_exporters.rows import RowBatch

NOT_AN_ERROR: Final = "not_an_error"
"""Why a log record is not stored: the store keeps errors, not logs."""


def assemble(items: Sequence[Item], mapper: RowMapper, ledger: Ledger) -> RowBatch:
    """Return the rows of *items*.

    Afterwards the ledger's `queued` holds exactly these rows in place of the items: errors found on spans are counted
    as emitted from here on, what became no row is dropped. If this raises, the ledger is as it was.
    """
    batch = RowBatch()
    found = 0
    lost: Counter[str] = Counter()
    span = Kind.SPAN  # a member looked up on its enum class costs more than a local name
    spans: list[ReadableSpan] = []
    others: list[Entry] = []
    for item in items:
        if type(item) is RecordingSpan:
            spans.append(item)
        elif item[1] is span:
            spans.append(item[2])
        else:
            others.append(item)
    if spans:
        mapper.add_spans(batch, spans)
        lost[UNMAPPABLE] += len(spans) - len(batch.steps)
        found += len(batch.errors)
    for _, kind, payload, rows, _ in others:
        if kind is Kind.LOG:
            errors = len(batch.errors)
            is_understood = mapper.add_log(batch, payload)
            made, reason = len(batch.errors) - errors, NOT_AN_ERROR if is_understood else UNMAPPABLE
        else:
            snapshots = len(batch.snapshots)
            mapper.add_metrics(batch, payload)
            made, reason = len(batch.snapshots) - snapshots, UNMAPPABLE
        lost[reason] += max(0, rows - made)
        found += max(0, made - rows)
    ledger.emit(found)
    for reason, count in lost.items():
        ledger.drop(count, reason)
    return batch
