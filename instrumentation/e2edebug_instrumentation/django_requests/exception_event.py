"""An exception on a span, also when the exception itself is broken."""

import traceback

from opentelemetry.trace import Span, Status, StatusCode


def record_exception(span: Span, error: BaseException) -> None:
    """Add *error* to *span* as an `exception` event; its text may be missing, nothing is raised.

    The SDK calls str(error) and lets what that raises through, into the request it was meant to watch.
    """
    if not span.is_recording():
        return
    if _text(error) is not None:
        span.record_exception(error)
        return
    span.add_event(
        "exception",
        {
            "exception.type": f"{type(error).__module__}.{type(error).__qualname__}",
            "exception.message": "<no text: its __str__ raises>",
            # format_exception() guards the text of each exception in the chain itself.
            "exception.stacktrace": "".join(traceback.format_exception(error)),
        },
    )


def failed_with(error: BaseException) -> Status:
    """Return the status of a span that *error* ended: `Type: text`, as the SDK words it."""
    text = _text(error)
    return Status(StatusCode.ERROR, type(error).__name__ if text is None else f"{type(error).__name__}: {text}")


def _text(error: BaseException) -> str | None:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception class of the host; its own text may raise anything
        return None
