"""The exception of a failed query, as the span of the query tells it.

Where it is caught its traceback begins at the wrapper around the driver, with not one line of the application in it. The
frames that led there are put before it, so that this copy, the first to be stored, is grouped by the application's code.
"""

from types import TracebackType
from typing import Final

from e2edebug.policy.error_text import mask_error_message, mask_stack_trace
from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.plain_values import text_of
from e2edebug_instrumentation.database.code_location import calling_frames, handed_over_location, is_users_code


def message_of(error: BaseException, error_type: str) -> str:
    """Return the text of *error* without the values of rows, 8 KiB of it: a driver may quote a statement of megabytes."""
    return mask_error_message(text_of(error)[:_LONGEST_MESSAGE], error_type)


def stack_of(error: BaseException, *, raised_as: BaseException | None = None) -> str:
    """Return the whole way to *error*, without the values of rows.

    raised_as: the exception that the application will see in place of the driver's *error*.
    """
    trace = error.__traceback__
    callers = calling_frames(trace.tb_frame.f_back) if trace is not None else []
    stack = stack_text(raised_as or error, trace=trace, calling_frames=callers)
    location = handed_over_location()
    if location is not None and not _has_users_code(trace) and not any(map(is_users_code, callers)):
        # An async view awaits what this thread does: nothing else on the thread's stack tells of it.
        function = location.function.rpartition(".")[2]
        header, first, rest = stack.rpartition(_FIRST_LINE)
        stack = f'{header}{first}  File "{location.path}", line {location.line}, in {function}\n{rest}'
    return mask_stack_trace(stack[-_LONGEST_STACK:])


def _has_users_code(trace: TracebackType | None) -> bool:
    while trace is not None:
        if is_users_code(trace.tb_frame):
            return True
        trace = trace.tb_next
    return False


_LONGEST_MESSAGE: Final = 8192
_LONGEST_STACK: Final = 65_536
_FIRST_LINE: Final = "Traceback (most recent call last):\n"
