"""Items that waited become the rows of one batch, and the books follow what they turned into."""

from collections.abc import Sequence
from typing import Final

from e2edebug_exporters.bounded_queue import Item, Kind
from e2edebug_exporters.ledger import Ledger
from e2edebug_exporters.row_mapper import UNMAPPABLE, RowMapper
from e2edebug_exporters.rows import RowBatch

NOT_AN_ERROR: Final = "not_an_error"
"""Why a log record is not stored: the store keeps errors, not logs."""


def assemble(items: Sequence[Item], mapper: RowMapper, ledger: Ledger) -> RowBatch:
    """Return the rows of *items*.

    Afterwards the ledger's `queued` holds exactly these rows in place of the items: errors found on spans are counted
    as emitted from here on, what became no row is dropped.
    """
    batch = RowBatch()
    spans = [item.payload for item in items if item.kind is Kind.SPAN]
    if spans:
        mapper.add_spans(batch, spans)
        _settle(ledger, expected=len(spans), made=len(batch.steps), reason=UNMAPPABLE)
        ledger.emit(len(batch.errors))
    for item in items:
        if item.kind is Kind.LOG:
            errors = len(batch.errors)
            is_understood = mapper.add_log(batch, item.payload)
            reason = NOT_AN_ERROR if is_understood else UNMAPPABLE
            _settle(ledger, expected=item.rows, made=len(batch.errors) - errors, reason=reason)
        elif item.kind is Kind.METRICS:
            snapshots = len(batch.snapshots)
            mapper.add_metrics(batch, item.payload)
            _settle(ledger, expected=item.rows, made=len(batch.snapshots) - snapshots, reason=UNMAPPABLE)
    return batch


def _settle(ledger: Ledger, *, expected: int, made: int, reason: str) -> None:
    if made < expected:
        ledger.drop(expected - made, reason)
    elif made > expected:
        ledger.emit(made - expected)
