"""One request's open explicit workflows, so that a step finds the workflow it belongs to.

`tracer.start_workflow()` returns a handle and leaves the OpenTelemetry context alone: nothing says when the caller is
done with it, and an attached context that is never detached would swallow the next request on the thread. So each
request carries one of these, which holds what was started in it and goes when the request goes.
"""

import threading
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

CONTEXT_KEY: Final = "e2edebug.workflow_scope"
"""Key in the OpenTelemetry Context under which the request's WorkflowScope stands."""


class WorkflowScope:
    """The explicit workflows started within one request and not yet finished, innermost last.

    Shared by every thread and task that works on the request; a closed scope stays empty.
    """

    __slots__ = ("_is_closed", "_lock", "_open")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[object] = []
        self._is_closed = False

    @property
    def innermost(self) -> object | None:
        """The workflow started last among those still open, None without any."""
        with self._lock:
            return self._open[-1] if self._open else None

    def push(self, workflow: object) -> None:
        """Make *workflow* the innermost one; without effect once the request is over."""
        with self._lock:
            if not self._is_closed:
                self._open.append(workflow)

    def remove(self, workflow: object) -> None:
        """Take *workflow* out, wherever it stands: workflows may be completed in any order, and more than once."""
        with self._lock:
            self._open = [other for other in self._open if other is not workflow]

    def close(self) -> None:
        """Forget everything: a workflow that outlives its request is no longer found by later code."""
        with self._lock:
            self._is_closed = True
            self._open.clear()


def current_workflow_scope(context: Context | None = None) -> WorkflowScope | None:
    """Return the scope of the request that *context* (default: the current one) belongs to, None outside requests."""
    scope = otel_context.get_value(CONTEXT_KEY, context)
    return scope if isinstance(scope, WorkflowScope) else None
