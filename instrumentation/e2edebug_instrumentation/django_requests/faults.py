"""Our own mistakes while tracing a request: told once, never to the host."""

import logging
import threading

from opentelemetry.instrumentation.utils import suppress_instrumentation

_logger = logging.getLogger("e2edebug.instrumentation.django")


class Faults:
    """Logs each cause once and lets the request go on; raises instead in our own test suite."""

    def __init__(self, *, raise_errors: bool = False) -> None:
        self._raise_errors = raise_errors
        self._lock = threading.Lock()
        self._told: set[tuple[str, type[BaseException]]] = set()
        self.count = 0

    def report(self, doing: str, error: Exception) -> None:
        """Count *error*, met while *doing* something for a request, and log it if it is the first of its kind."""
        if self._raise_errors:
            raise error
        cause = (doing, type(error))
        with self._lock:
            self.count += 1
            is_new = cause not in self._told
            self._told.add(cause)
        if is_new:
            with suppress_instrumentation():
                _logger.warning("e2edebug failed while %s; the request is served all the same.", doing, exc_info=error)
