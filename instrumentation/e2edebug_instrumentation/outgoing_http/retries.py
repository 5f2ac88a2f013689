"""A request that urllib3, below requests or not, sends once more by itself says so on its span."""

from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.plain_values import text_of
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.outgoing_http.call_guide import current_call

_watching: set[int] = set()
"""Who wants to know, by identity: two instrumentors stand above urllib3."""


def watch_retries(user: object) -> None:
    """Note retries until every *user* has stopped watching."""
    from urllib3.util.retry import Retry

    if not _watching:
        wrapt.wrap_function_wrapper(Retry, "increment", _increment)
    _watching.add(id(user))


def stop_watching_retries(user: object) -> None:
    """Undo watch_retries() for *user*."""
    from urllib3.util.retry import Retry

    _watching.discard(id(user))
    if not _watching:
        unwrap(Retry, "increment")


def _increment(wrapped: Callable[..., Any], _retry: Any, args: Any, kwargs: Any) -> Any:
    """Return what it returns; that happens when the request will be sent again, else it raises."""
    result = wrapped(*args, **kwargs)
    try:
        call = current_call()
        last = result.history[-1] if result.history else None
        if call is not None and last is not None and not last.redirect_location:
            call.note_retry(f"answered {last.status}" if last.status else text_of(last.error))
    except Exception as error:  # noqa: BLE001 - the application's request goes on
        internal_error("note a retry", error)
    return result
