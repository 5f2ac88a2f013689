"""What every thread does around our own work: no instrumentation sees it, and a failure of ours is told and survived."""

import logging

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY  # private, and the SDK's own processors use it

from e2edebug.policy.self_report import internal_error

logger = logging.getLogger("e2edebug.pipeline")


class suppressed:  # noqa: N801 # used like contextlib's functions
    """Instrumentation of any kind ignores what happens inside."""

    def __enter__(self) -> None:
        self._token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))

    def __exit__(self, *_: object) -> None:
        otel_context.detach(self._token)


def report_internal(what: str, error: BaseException) -> None:
    """Tell of a failure of ours in a thread of ours, which must go on."""
    try:
        internal_error(what, error)
    except BaseException:  # raised for our own suite, which must not lose the thread by it
        logger.exception("could not %s", what)
