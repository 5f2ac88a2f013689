"""Celery: a task belongs to the workflow that queued it, through retries and chains; a periodic one is a workflow.

Not OpenTelemetry's instrumentor (0.66b1), which leaves its span the current one for good, so that all that the thread
does later stands below it, when the broker cannot be reached or a task is sent by a name that this process does not
know, and which tells the attempts that will be repeated from nothing. Its headers are the same: producers and workers
with either understand each other.
"""

import importlib
import sys
import time
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation, unwrap
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from e2edebug.policy.recorded_exceptions import remember_recorded
from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.span_failure import record_failure
from e2edebug_instrumentation.tasks.task_span import (
    INSTRUMENTATION_SCOPE,
    TaskRun,
    carried,
    carry,
    order_periodically,
    start_order,
    workflow_type_of_order,
)

_SYSTEM: Final = "celery"
_APP_MODULE: Final = "celery.app.base"
_BEAT_MODULE: Final = "celery.beat"
_REQUEST_MODULE: Final = "celery.worker.request"
_RUN: Final = "_e2edebug_run"
"""Where the request of a task keeps its TaskRun."""
_HEADERS: Final = ("traceparent", "tracestate", "baggage", "x-correlation-id")
_UID: Final = "e2edebug"


class CeleryInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes a span of each publishing and each run of a task; instrument() takes `tracer_provider`."""

    _is_active = False
    _hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without Celery it waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracer = trace.get_tracer(INSTRUMENTATION_SCOPE, tracer_provider=kwargs.get("tracer_provider"))
        self._is_active = True
        self._started: dict[str, Callable[[ModuleType], None]] = {
            _APP_MODULE: self._start,
            _BEAT_MODULE: self._start_beat,
            _REQUEST_MODULE: self._start_worker,
        }
        if not CeleryInstrumentor._hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks whether it is wanted.
            CeleryInstrumentor._hooked = True
            for module in self._started:
                wrapt.register_post_import_hook(self._when_imported, module)
            return
        for module in self._started:
            if module in sys.modules:
                self._when_imported(sys.modules[module])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        if _APP_MODULE in sys.modules:
            unwrap(sys.modules[_APP_MODULE].Celery, "send_task")
            signals = importlib.import_module("celery.signals")
            for name in self._receivers():
                getattr(signals, name).disconnect(dispatch_uid=_UID)
        if _BEAT_MODULE in sys.modules:
            unwrap(sys.modules[_BEAT_MODULE].Scheduler, "apply_async")
        if _REQUEST_MODULE in sys.modules:
            request = sys.modules[_REQUEST_MODULE].Request
            unwrap(request, "on_failure")
            unwrap(request, "on_timeout")

    def _when_imported(self, module: ModuleType) -> None:
        if not self._is_active or _is_traced_by_others():
            return
        try:
            self._started[module.__name__](module)
        except Exception as error:  # noqa: BLE001 - Celery must work without us
            internal_error("trace the tasks of Celery", error)

    def _start(self, module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module.Celery, "send_task", self._send_task)
        signals = importlib.import_module("celery.signals")
        for name, receiver in self._receivers().items():
            getattr(signals, name).connect(receiver, weak=False, dispatch_uid=_UID)

    def _start_beat(self, module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module.Scheduler, "apply_async", order_periodically)

    def _start_worker(self, module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module.Request, "on_failure", self._when_process_is_lost)
        wrapt.wrap_function_wrapper(module.Request, "on_timeout", self._when_time_is_up)

    def _receivers(self) -> dict[str, Callable[..., None]]:
        return {
            "before_task_publish": _before_publish,
            "task_prerun": self._before_run,
            "task_postrun": _after_run,
            "task_failure": _when_failed,
            "task_retry": _when_retried,
        }

    def _send_task(self, wrapped: Callable[..., Any], _app: Any, args: Any, kwargs: Any) -> Any:
        if not is_instrumentation_enabled():
            return wrapped(*args, **kwargs)
        try:
            name = str(args[0] if args else kwargs.get("name"))
            span = start_order(
                self._tracer,
                name,
                system=_SYSTEM,
                destination=str(kwargs.get("queue") or kwargs.get("routing_key") or ""),
                retries=kwargs.get("retries") or 0,
                workflow_type=workflow_type_of_order(),
            )
        except Exception as error:  # noqa: BLE001 - the task is sent without a span
            internal_error("begin the span of a task's publishing", error)
            return wrapped(*args, **kwargs)
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                # What the client of the broker does for it is no step of its own.
                with suppress_instrumentation():
                    result = wrapped(*args, **kwargs)
            except BaseException as error:
                record_failure(span, error)
                raise
            else:
                span.set_attribute("messaging.message.id", str(getattr(result, "id", "")))
                return result
            finally:
                span.end()

    def _before_run(self, task_id: Any = None, task: Any = None, **_: Any) -> None:
        try:
            request = task.request
            is_here = bool(request.is_eager or request.called_directly)
            context = otel_context.get_current() if is_here else carried(_headers_of(request.__dict__))
            facts: dict[str, AttributeValue] = {"messaging.message.id": str(task_id)}
            destination = (request.delivery_info or {}).get("routing_key")
            if destination:
                facts["messaging.destination.name"] = str(destination)
            if request.hostname:
                facts["e2edebug.task.worker"] = str(request.hostname)
            request.__dict__[_RUN] = TaskRun(
                self._tracer, str(task.name), context, system=_SYSTEM, facts=facts, retries=request.retries or 0
            )
        except Exception as error:  # noqa: BLE001 - the task runs without a span
            internal_error("begin the span of a task", error)

    def _when_time_is_up(self, wrapped: Callable[..., Any], request: Any, args: Any, kwargs: Any) -> Any:
        is_soft = args[0] if args else kwargs.get("soft")
        if not is_soft:
            limit = args[1] if len(args) > 1 else kwargs.get("timeout")
            start_unix_ns = time.time_ns() - int(float(limit or 0) * 1e9)
            self._tell_of_lost_run(request, f"TimeLimitExceeded: the task was stopped after {limit} s", start_unix_ns)
        return wrapped(*args, **kwargs)

    def _when_process_is_lost(self, wrapped: Callable[..., Any], request: Any, args: Any, kwargs: Any) -> Any:
        information = args[0] if args else kwargs.get("exc_info")
        shown = getattr(information, "exception", None)
        error = getattr(shown, "exc", shown)  # billiard's ExceptionWithTraceback
        if type(error).__name__ in ("SystemExit", "Terminated", "WorkerLostError"):
            self._tell_of_lost_run(request, f"{type(error).__name__}: {error}", told=(shown, error))
        return wrapped(*args, **kwargs)

    def _tell_of_lost_run(
        self, request: Any, description: str, start_unix_ns: int | None = None, told: tuple[Any, ...] = ()
    ) -> None:
        """Tell of a task whose process was killed, together with the span of its run: from the worker's main process.

        told: exceptions that say the same, which Celery is going to log.
        """
        try:
            context = carried(_headers_of(request._request_dict))
            run = TaskRun(
                self._tracer,
                str(request.name),
                context,
                system=_SYSTEM,
                facts={"messaging.message.id": str(request.id), "e2edebug.task.worker": str(request.hostname or "")},
                retries=request._request_dict.get("retries") or 0,
                is_lost=True,
                start_unix_ns=start_unix_ns,
            )
            run.lose(description)
            for error in told:
                if isinstance(error, BaseException):
                    remember_recorded(error, run.span.get_span_context().trace_id)
        except Exception as error:  # noqa: BLE001 - the worker goes on
            internal_error("tell of a task whose process was lost", error)


def _is_traced_by_others() -> bool:
    """Whether somebody has switched OpenTelemetry's own instrumentor on: each task would be two steps."""
    stock = getattr(sys.modules.get("opentelemetry.instrumentation.celery"), "CeleryInstrumentor", None)
    return stock is not None and bool(stock().is_instrumented_by_opentelemetry)


def _before_publish(headers: Any = None, **_: Any) -> None:
    try:
        if isinstance(headers, dict) and _is_publishing():
            # A task that is tried again is sent with the headers it came with.
            for name in _HEADERS:
                headers.pop(name, None)
            carry(headers)
    except Exception as error:  # noqa: BLE001 - the task is sent without a workflow
        internal_error("hand a workflow on to a task", error)


def _is_publishing() -> bool:
    span = trace.get_current_span()
    return getattr(span, "kind", SpanKind.PRODUCER) is SpanKind.PRODUCER and span.get_span_context().is_valid


def _after_run(task: Any = None, state: Any = None, **_: Any) -> None:
    run = _run_of(task)
    if run is None:
        return
    if state is None:  # Celery has no name for what SystemExit and its like do to a task
        run.interrupt()
    else:
        run.end(state)


def _when_failed(sender: Any = None, exception: Any = None, **_: Any) -> None:
    run = _run_of(sender)
    if run is None or not isinstance(exception, BaseException):
        return
    error = getattr(exception, "exc", None)  # billiard's ExceptionWithTraceback
    error = error if isinstance(error, BaseException) else exception
    if isinstance(error, tuple(getattr(sender, "throws", None) or ())):
        run.note_expected(error)
    else:
        run.fail(error)


def _when_retried(sender: Any = None, reason: Any = None, **_: Any) -> None:
    run = _run_of(sender)
    if run is not None:
        run.note_retry(reason)


def _run_of(task: Any) -> TaskRun | None:
    try:
        run = task.request.__dict__.get(_RUN)
    except AttributeError:
        return None
    return run if isinstance(run, TaskRun) else None


def _headers_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Return what was carried: Celery makes attributes of a message's headers, and keeps some in `headers`."""
    nested = request.get("headers")
    found = {}
    for name in _HEADERS:
        value = request.get(name)
        if value is None and isinstance(nested, Mapping):
            value = nested.get(name)
        if isinstance(value, str):
            found[name] = value
    return found
