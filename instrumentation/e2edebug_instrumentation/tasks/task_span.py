"""The two spans of a task: that it was ordered, and that it runs, which is a child of the former wherever it happens.

Ordering is a step of layer `external`, as is all that leaves the process; running is one of layer `system`, and a
workflow of its own only where nobody ordered it.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from e2edebug.policy import attributes, correlation_id
from e2edebug.policy.plain_values import text_of
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator
from e2edebug_instrumentation.database.code_location import find_code_location
from e2edebug_instrumentation.span_failure import record_failure

INSTRUMENTATION_SCOPE: Final = "e2edebug.tasks"
RETRY_COUNT: Final = "messaging.retry_count"
RETRY_REASON: Final = "e2edebug.retry.reason"
TASK_STATE: Final = "e2edebug.task.state"
"""How the task's own framework calls its end: `SUCCESS`, `FAILURE`, `RETRY`, …"""
TASK: Final = "task"
PERIODIC_TASK: Final = "periodic_task"
"""Types of workflows that begin with a task."""

_IS_PERIODIC: Final = "e2edebug.is_periodic"
_LONGEST_REASON: Final = 1000
_correlation: Final = CorrelationIdPropagator()


def start_order(
    tracer: Tracer,
    task: str,
    *,
    system: str,
    destination: str = "",
    retries: int = 0,
    workflow_type: str = TASK,
    context: Context | None = None,
) -> Span:
    """Start the span that *task* is ordered in. workflow_type: where no step encloses it."""
    found: dict[str, AttributeValue] = {
        attributes.LAYER: "external",
        attributes.COMPONENT: task,
        attributes.OPERATION: "retry" if retries else "publish",
        "messaging.system": system,
        "messaging.operation.name": "publish",
    }
    if destination:
        found["messaging.destination.name"] = destination
    if retries:
        found[RETRY_COUNT] = retries
    if not trace.get_current_span(context).get_span_context().is_valid:
        found[attributes.WORKFLOW_TYPE] = workflow_type
    location = find_code_location(2)
    if location is not None:
        found["code.file.path"], found["code.line.number"], found["code.function.name"] = location
    return tracer.start_span(f"publish {task}", context, SpanKind.PRODUCER, found)


def order_periodically(wrapped: Callable[..., Any], _scheduler: Any, args: Any, kwargs: Any) -> Any:
    """Let *wrapped* order what is due: each a workflow of its own, and of that type. A wrapper of wrapt's."""
    # In an empty context: what is due belongs to nothing that is under way here.
    token = otel_context.attach(otel_context.set_value(_IS_PERIODIC, True, Context()))
    try:
        return wrapped(*args, **kwargs)
    finally:
        detach(token)


def workflow_type_of_order() -> str:
    """Return the type of a workflow that begins with what is ordered now."""
    return PERIODIC_TASK if otel_context.get_value(_IS_PERIODIC) else TASK


def carry(carrier: MutableMapping[str, Any]) -> None:
    """Write into *carrier* what a task needs to belong to the present workflow."""
    propagate.inject(carrier)
    if "x-correlation-id" not in carrier:
        # OTEL_PROPAGATORS may not name ours, and the id must arrive all the same.
        _correlation.inject(carrier)


def carried(carrier: Mapping[str, str]) -> Context:
    """Return the workflow that *carrier* was given by carry(); an empty context if there is none in it."""
    context = propagate.extract(carrier, Context())
    if otel_context.get_value(correlation_id.CONTEXT_KEY, context) is None:
        context = _correlation.extract(carrier, context)
    return context


class TaskRun:
    """A task under way, in the thread or coroutine that began it. Nothing here raises into the task."""

    __slots__ = ("_is_ended", "_token", "span")

    def __init__(
        self,
        tracer: Tracer,
        task: str,
        context: Context,
        *,
        system: str,
        facts: Mapping[str, AttributeValue],
        retries: int = 0,
        is_lost: bool = False,
        start_unix_ns: int | None = None,
    ) -> None:
        """Start the span of *task* below *context*, and make it the current one.

        is_lost: it is told by another process, since its own is gone. start_unix_ns: default now.
        """
        found: dict[str, AttributeValue] = {
            attributes.LAYER: "system",
            attributes.COMPONENT: task,
            attributes.OPERATION: "lost" if is_lost else "retry" if retries else "run",
            "messaging.system": system,
            "messaging.operation.name": "process",
            **facts,
        }
        if retries:
            found[RETRY_COUNT] = retries
        if not trace.get_current_span(context).get_span_context().is_valid:
            found[attributes.WORKFLOW_TYPE] = TASK
        self._is_ended = False
        self.span = tracer.start_span(f"run {task}", context, SpanKind.CONSUMER, found, start_time=start_unix_ns)
        self._token = otel_context.attach(trace.set_span_in_context(self.span, context))

    def fail(self, error: BaseException) -> None:
        """Note what the task raised."""
        try:
            record_failure(self.span, error)
        except Exception as own_error:  # noqa: BLE001 - the task's own error goes on
            internal_error("note the failure of a task", own_error)

    def note_expected(self, error: BaseException) -> None:
        """Note an exception that the task is declared to throw: an answer, no failure."""
        self.span.set_attribute("error.type", type(error).__name__)

    def lose(self, description: str) -> None:
        """End the span of a run whose process is gone. description: `Type: what happened`.

        Where that process had the time to send its own span, interrupted, this is a step beside it.
        """
        error_type, _, message = description.partition(": ")
        self.span.add_event("exception", {"exception.type": error_type, "exception.message": message})
        self.span.set_status(Status(StatusCode.ERROR, description))
        self.end("FAILURE")

    def interrupt(self) -> None:
        """End the span of a run that was broken off from outside: nothing in it has failed."""
        self.span.set_status(Status(StatusCode.ERROR, "interrupted"))
        self.end()

    def note_retry(self, reason: object) -> None:
        """Note that the task will be tried once more: no failure, as long as it may still succeed."""
        try:
            self.span.set_attribute(RETRY_REASON, text_of(reason)[:_LONGEST_REASON])
        except Exception as error:  # noqa: BLE001 - as above
            internal_error("note the retry of a task", error)

    def end(self, state: object = None) -> None:
        """End the span and give the context back."""
        if self._is_ended:
            return
        self._is_ended = True
        detach(self._token)
        try:
            if state is not None:
                self.span.set_attribute(TASK_STATE, text_of(state))
            self.span.end()
        except Exception as error:  # noqa: BLE001 - as above
            internal_error("end the span of a task", error)
