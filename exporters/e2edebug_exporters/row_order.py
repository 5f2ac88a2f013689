"""Rows in the order of their keys, each key once: in which they are locked, and so written."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.ledger import WriteResult
from e2edebug_exporters.rows import RowBatch, StepRow
from e2edebug_exporters.statements.protocol import StepKey
from e2edebug_exporters.step_places import SPAN_ID, TRACE_ID


def in_key_order(batch: RowBatch, result: WriteResult, starts: dict[StepKey, StepRow]) -> RowBatch:
    """Return *batch* in key order with each key once.

    What that leaves out is counted in *result*, except for one start of each step whose end is there as well: it shares
    the fate of the end and is put into *starts*.
    """
    steps = _steps_by_trace(batch.steps)
    if steps is None:
        steps = _steps_once(batch.steps, result, starts)
    snapshots = {(row.event_key, row.timestamp): row for row in batch.snapshots}
    result.already_there += len(batch.snapshots) - len(snapshots)
    return RowBatch(
        steps=steps,
        # By time within one exception, so that the copy nearest to its origin is the one that stays.
        errors=sorted(batch.errors, key=lambda row: (row.event_key, row.timestamp)),
        snapshots=[snapshots[key] for key in sorted(snapshots)],
    )


def _steps_by_trace(rows: Sequence[StepRow]) -> list[StepRow] | None:
    """Return *rows* in key order; None where a span of a trace is there twice.

    The steps of a trace mostly come together, and there are few of them: sorted trace by trace they cost a third of
    what a key of three texts for each row does.
    """
    traces: dict[str, list[StepRow]] = {}
    for trace_id, run in groupby(rows, key=_trace_of):
        known = traces.get(trace_id)
        if known is None:
            traces[trace_id] = list(run)
        else:
            known.extend(run)
    ordered: list[StepRow] = []
    for trace_id in sorted(traces):
        give_way()
        of_trace = traces[trace_id]
        of_trace.sort(key=_span_of)
        if len(set(map(_span_of, of_trace))) < len(of_trace):
            return None
        ordered += of_trace
    return ordered


def _steps_once(rows: Sequence[StepRow], result: WriteResult, starts: dict[StepKey, StepRow]) -> list[StepRow]:
    steps: dict[StepKey, StepRow] = {}
    for row in rows:
        key = (row.trace_id, row.span_id, row.start_time)
        other = steps.setdefault(key, row)
        if other is row:
            continue
        if (other.end_time is None) is (row.end_time is None) or key in starts:
            result.already_there += 1
            if other.end_time is None:
                steps[key] = row
        else:
            steps[key], starts[key] = (row, other) if other.end_time is None else (other, row)
    return [steps[key] for key in sorted(steps)]


_trace_of: Final = itemgetter(TRACE_ID)
_span_of: Final = itemgetter(SPAN_ID)
