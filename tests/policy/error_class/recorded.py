"""What the store gets to know of an exception: its text, through the same door as every other."""

from collections.abc import Callable

from support.spans import exception_event, make_span

from e2edebug.policy.error_class.registry import Advice, advice_on
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import ErrorRow, RowBatch


def raised_by(action: Callable[[], object]) -> Exception:
    """Return what *action* raises."""
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def row_of(error: BaseException) -> ErrorRow:
    """Return the row of an error that a step recorded."""
    from opentelemetry.trace import StatusCode

    batch = RowBatch()
    RowMapper().add_spans(batch, [make_span(status=StatusCode.ERROR, events=[exception_event(error)])])
    return batch.errors[0]


def advice_about(error: BaseException) -> Advice:
    """Return class and suggestion as they are shown, with the stored class checked against the shown one."""
    row = row_of(error)
    advice = advice_on(row)
    assert row.error_class == advice.error_class
    return advice
