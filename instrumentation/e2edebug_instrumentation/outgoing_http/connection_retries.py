"""The connections that httpx tries to make once more by itself (`HTTPTransport(retries=2)`) are told on the call's span.

httpcore, below it, tells who puts a function into a request's extensions of each thing that it does (its documentation,
"Extensions", `trace`). That is asked for only where a transport retries at all.
"""

from collections.abc import Callable
from typing import Any, Final

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.plain_values import text_of
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.outgoing_http.call_guide import OutgoingCall, current_call

_FAILED: Final = frozenset(
    {"connection.connect_tcp.failed", "connection.connect_unix_socket.failed", "connection.start_tls.failed"}
)
_RETRIED: Final = "connection.retry.started"
_METHODS: Final = (("HTTPTransport", "handle_request"), ("AsyncHTTPTransport", "handle_async_request"))


def watch_connection_retries(httpx: Any) -> None:
    """Note them; before the instrumentor wraps the transports."""
    for (kind, method), wrapper in zip(_METHODS, (_handle, _handle_async), strict=True):
        wrapt.wrap_function_wrapper(getattr(httpx, kind), method, wrapper)


def stop_watching_connection_retries(httpx: Any) -> None:
    """Undo watch_connection_retries(); after the instrumentor has undone its own."""
    for kind, method in _METHODS:
        unwrap(getattr(httpx, kind), method)


def _handle(wrapped: Callable[..., Any], transport: Any, args: Any, kwargs: Any) -> Any:
    noting = _noting(transport, args, kwargs)
    if noting is None:
        return wrapped(*args, **kwargs)
    request, note, theirs = noting

    def trace(name: str, info: dict[str, Any]) -> Any:
        note(name, info)
        return theirs(name, info) if theirs is not None else None

    extensions = request.extensions
    request.extensions = {**extensions, "trace": trace}
    try:
        return wrapped(*args, **kwargs)
    finally:
        request.extensions = extensions


async def _handle_async(wrapped: Callable[..., Any], transport: Any, args: Any, kwargs: Any) -> Any:
    noting = _noting(transport, args, kwargs)
    if noting is None:
        return await wrapped(*args, **kwargs)
    request, note, theirs = noting

    async def trace(name: str, info: dict[str, Any]) -> None:
        note(name, info)
        if theirs is not None:
            await theirs(name, info)

    extensions = request.extensions
    request.extensions = {**extensions, "trace": trace}
    try:
        return await wrapped(*args, **kwargs)
    finally:
        request.extensions = extensions


def _noting(transport: Any, args: Any, kwargs: Any) -> tuple[Any, "_RetryNotes", Any] | None:
    """Return the request, what notes its retries, and the application's own function; None if there are no retries."""
    try:
        call = current_call()
        if call is None or not getattr(transport._pool, "_retries", 0):
            return None
        request = args[0] if args else kwargs["request"]
        return request, _RetryNotes(call), request.extensions.get("trace")
    except Exception as error:  # noqa: BLE001 - the application's request goes on
        internal_error("watch the retries of a connection", error)
        return None


class _RetryNotes:
    """Is told what httpcore does, and notes what of it is a retry."""

    def __init__(self, call: OutgoingCall) -> None:
        self._call = call
        self._reason = ""

    def __call__(self, name: str, info: dict[str, Any]) -> None:
        try:
            if name in _FAILED:
                self._reason = text_of(info.get("exception"))
            elif name == _RETRIED:
                self._call.note_retry(self._reason)
        except Exception as error:  # noqa: BLE001 - as above
            internal_error("note a retry", error)
