"""What goes first when the spool is full: plain steps, then metrics, then errors, and failed workflows last of all."""

from typing import Final

from e2edebug_exporters.rows import RowBatch, StepRow
from e2edebug_exporters.spool.frames import Frame, encode_frame, read_frames
from e2edebug_exporters.spool.row_payload import (
    NewerPayloadError,
    UnreadablePayloadError,
    decode_batch,
    encode_batch,
)

WITHOUT_PLAIN_STEPS: Final = 1
WITHOUT_METRICS: Final = 2
WITHOUT_ERRORS: Final = 3
EVERYTHING: Final = 4
_ROWS_TOGETHER: Final = 512


def thinned(data: bytes, level: int) -> tuple[bytes, int, int]:
    """Return *data* with only those rows that are more important than *level* lets go, how many they are, and how many went.

    What is left of small frames shares a frame: the names of the columns take more room than a row.
    """
    kept: list[bytes] = []
    rows_kept = rows_lost = 0
    together, together_revision = RowBatch(), ""
    for found in read_frames(data):
        if not isinstance(found, Frame):
            rows_lost += found.rows or 0
            continue
        try:
            batch, revision = decode_batch(found.payload)
        except UnreadablePayloadError:
            rows_lost += found.rows
            continue
        except NewerPayloadError:  # its rows cannot be told apart
            kept.append(data[found.start : found.end])
            rows_kept += found.rows
            continue
        important = _important(batch, level)
        rows_kept += len(important)
        rows_lost += found.rows - len(important)
        if revision != together_revision or len(together) + len(important) > _ROWS_TOGETHER:
            kept.append(_frame(together, together_revision))
            together, together_revision = RowBatch(), revision
        together.steps += important.steps
        together.errors += important.errors
        together.snapshots += important.snapshots
    kept.append(_frame(together, together_revision))
    return b"".join(kept), rows_kept, rows_lost


def _frame(batch: RowBatch, revision: str) -> bytes:
    return encode_frame(encode_batch(batch, schema_revision=revision), rows=len(batch)) if len(batch) else b""


def _important(batch: RowBatch, level: int) -> RowBatch:
    failed = {row.correlation_id for row in batch.steps if _is_failed_root(row)}

    def is_kept(row: StepRow) -> bool:
        is_error = level < WITHOUT_ERRORS and row.status == "failed"
        return is_error or row.correlation_id in failed

    return RowBatch(
        steps=[row for row in batch.steps if is_kept(row)],
        errors=[row for row in batch.errors if level < WITHOUT_ERRORS or row.correlation_id in failed],
        snapshots=batch.snapshots if level < WITHOUT_METRICS else [],
    )


def _is_failed_root(row: StepRow) -> bool:
    return row.session_facts is not None and row.session_facts.status == "failed"
