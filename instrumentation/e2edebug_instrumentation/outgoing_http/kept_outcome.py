"""The application gets what its library made of a request, whatever the instrumentor around the library makes of that.

OpenTelemetry's instrumentors for urllib and urllib3 (0.66b1) read the length of every answer as a number, and raise
ValueError into the application when a server sends `Content-Length: abc`.
"""

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import unwrap

from e2edebug.policy.self_report import internal_error


class Outcome:
    """What came of a request: nothing yet, an answer, or an exception of the library's."""

    __slots__ = ("answer", "error", "traceback")

    def __init__(self) -> None:
        self.answer: Any = None
        self.error: Exception | None = None
        self.traceback: TracebackType | None = None


def current_outcome() -> Outcome | None:
    """Return what is known of the request that is under way; None where nobody keeps it."""
    return _outcome.get()


class KeptOutcome:
    """Two wrappers of a method that sends requests: one inside of the instrumentor's, one around it."""

    def __init__(self, owner: type, method: str) -> None:
        self._owner = owner
        self._method = method
        self._own: Callable[..., Any] = getattr(owner, method)

    def put_inside(self) -> None:
        """Note what the library makes of a request; before the instrumentor wraps it."""
        wrapt.wrap_function_wrapper(self._owner, self._method, _note)

    def put_around(self) -> None:
        """Give the application that; after the instrumentor has wrapped the method."""
        wrapt.wrap_function_wrapper(self._owner, self._method, self._keep)

    def take_off(self) -> None:
        """Undo the last of the two that was put."""
        unwrap(self._owner, self._method)

    def _keep(self, wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        outcome = Outcome()
        token = _outcome.set(outcome)
        try:
            return wrapped(*args, **kwargs)
        except Exception as error:
            if error is outcome.error:
                raise
            internal_error("trace a request", error)
        finally:
            _outcome.reset(token)
        if outcome.error is not None:
            raise outcome.error.with_traceback(outcome.traceback)
        if outcome.answer is not None:
            return outcome.answer
        return self._own(instance, *args, **kwargs)


def _note(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
    outcome = _outcome.get()
    if outcome is None:
        return wrapped(*args, **kwargs)
    try:
        outcome.answer = wrapped(*args, **kwargs)
    except Exception as error:
        outcome.error, outcome.traceback = error, error.__traceback__
        raise
    return outcome.answer


_outcome: ContextVar[Outcome | None] = ContextVar("e2edebug_outcome_of_request", default=None)
