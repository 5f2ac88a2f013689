"""Django's async ORM runs queries in a thread on which no frame of the user's code is: note it before the hand-over."""

from collections.abc import Callable
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.database.code_location import remember_code_location


def watch_handover() -> None:
    """Note the user's code whenever asgiref is about to run a function in a thread."""
    from asgiref.sync import SyncToAsync

    wrapt.wrap_function_wrapper(SyncToAsync, "__call__", _note_code_location)


def stop_handing_over() -> None:
    """Undo watch_handover()."""
    from asgiref.sync import SyncToAsync

    unwrap(SyncToAsync, "__call__")


async def _note_code_location(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
    try:
        # Skips this frame and the one of find_user_code's caller; the awaiting coroutines lie further out.
        remember_code_location(3)
    except Exception as error:  # noqa: BLE001 - the application's call goes on
        internal_error("note the code of an async query", error)
    return await wrapped(*args, **kwargs)
