"""Our own failures: counted, logged once per cause, never raised into the application that hosts us."""

import logging
import os
import threading
from collections import Counter

_log = logging.getLogger("e2edebug")
_lock = threading.Lock()
_counts: Counter[str] = Counter()


def internal_error(where: str, error: BaseException) -> None:
    """Count a failure of ours at *where*, a place such as "start a step", and log its first occurrence.

    With E2EDEBUG_RAISE_ERRORS set, as our own test suite does, the error is raised instead.
    """
    if os.environ.get("E2EDEBUG_RAISE_ERRORS", "").lower() in {"1", "true", "yes", "on"}:
        raise error
    cause = f"{where}: {type(error).__qualname__}"
    with _lock:
        _counts[cause] += 1
        is_first = _counts[cause] == 1
    if is_first:
        _log.warning("e2edebug failed to %s and goes on without (logged once)", where, exc_info=error)


def internal_error_counts() -> dict[str, int]:
    """Return how often each cause occurred in this process."""
    with _lock:
        return dict(_counts)
