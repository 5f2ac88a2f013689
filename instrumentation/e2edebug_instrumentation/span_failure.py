"""A span that an exception ended: failed, and told once with its stack on its way out through the spans around it."""

from typing import Final

from opentelemetry.trace import Span, Status, StatusCode

from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.plain_values import text_of
from e2edebug.policy.recorded_exceptions import is_recorded, qualified_name, remember_recorded

_LONGEST_TOLD: Final = 8192


def record_failure(span: Span, error: BaseException, *, cause: str = "") -> None:
    """Mark *span* failed by *error*, and record the exception with its stack. Never raises.

    Spans that the same exception passes through on its way out are marked only: the innermost one has its stack, and
    formatting it once per span would take quadratic time on the application's thread. The outermost span of a process
    has it as well, since what the inner ones told may have been judged without knowing how the whole ended.
    cause: in plain words, put before the exception's own text.
    """
    if not span.is_recording():
        return
    if not isinstance(error, Exception):
        # CancelledError, KeyboardInterrupt, GeneratorExit: the work was stopped from outside, nothing in it broke.
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR, f"interrupted by {type(error).__name__}"))
        return
    if is_recorded(error, span.get_span_context().trace_id) and _has_local_parent(span):
        span.set_attribute("error.type", qualified_name(error))
    else:
        # Not span.record_exception(): the SDK's lets through what the exception's own __str__ raises.
        span.add_event(
            "exception",
            {
                "exception.type": qualified_name(error),
                "exception.message": text_of(error),
                "exception.stacktrace": stack_text(error),
                "exception.escaped": "False",
            },
        )
        remember_recorded(error, span.get_span_context().trace_id)
    told = text_of(error)[:_LONGEST_TOLD]
    if cause:
        told = f"{cause}; {told}" if told else cause
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {told}"))


def _has_local_parent(span: Span) -> bool:
    """Tell whether an outer span of this process is still to hear of the exception; the API alone does not know."""
    parent = getattr(span, "parent", None)
    return parent is not None and not parent.is_remote
