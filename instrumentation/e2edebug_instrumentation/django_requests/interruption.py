"""How a span ends that was not allowed to finish."""

from opentelemetry.trace import Span

from e2edebug_instrumentation.django_requests.exception_event import failed_with, record_exception

INTERRUPTED = "e2edebug.request.interrupted"
"""On a request or body that was not finished: `CancelledError`, `GeneratorExit`, `SystemExit`, or `closed`."""


def describe_interruption(span: Span, error: BaseException) -> None:
    """Say on *span* that *error* ended its work.

    A cancelled task is a client that went away, not an error. SystemExit is: gunicorn ends a worker that hangs by it,
    and the recorded traceback says where it hung.
    """
    if not isinstance(error, Exception):
        span.set_attribute(INTERRUPTED, type(error).__name__)
    if isinstance(error, Exception | SystemExit | KeyboardInterrupt):
        record_exception(span, error)
        span.set_status(failed_with(error))
