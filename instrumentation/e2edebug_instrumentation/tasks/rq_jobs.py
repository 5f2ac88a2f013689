"""RQ: a job belongs to the workflow that queued it. Its `meta` carries it, under a key of our own."""

import sys
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation, unwrap
from opentelemetry.trace import Span

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.context_end import detach
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

META_KEY: Final = "e2edebug"

_SYSTEM: Final = "rq"
_CRON_MODULE: Final = "rq.cron"
_ORDERING_METHODS: Final = ("enqueue_job", "schedule_job")


class RQInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes a span of each queueing and each run of a job; instrument() takes `config` (a policy Config) and `tracer_provider`."""

    _is_active = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without RQ it waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracer = trace.get_tracer(INSTRUMENTATION_SCOPE, tracer_provider=kwargs.get("tracer_provider"))
        self._flush_limit_ms = int(1000 * getattr(kwargs.get("config"), "exit_timeout_s", 5.0))
        self._is_active = True
        if not RQInstrumentor._is_hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks whether it is wanted.
            RQInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_imported, "rq")
            wrapt.register_post_import_hook(self._when_cron_is_imported, _CRON_MODULE)
            return
        for name, when_imported in (("rq", self._when_imported), (_CRON_MODULE, self._when_cron_is_imported)):
            if name in sys.modules:
                when_imported(sys.modules[name])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        cron: Any = sys.modules.get(_CRON_MODULE)
        if cron is not None:
            unwrap(cron.CronJob, "enqueue")
        rq: Any = sys.modules.get("rq")
        if rq is None:
            return
        for method in (*_ORDERING_METHODS, "enqueue_many"):
            unwrap(rq.Queue, method)
        unwrap(rq.job.Job, "perform")
        unwrap(_defining(rq.Worker, "perform_job"), "perform_job")

    def _when_imported(self, rq: ModuleType) -> None:
        if not self._is_active:
            return
        try:
            for method in _ORDERING_METHODS:
                wrapt.wrap_function_wrapper(rq.Queue, method, self._order)
            wrapt.wrap_function_wrapper(rq.Queue, "enqueue_many", self._order_many)
            wrapt.wrap_function_wrapper(rq.job.Job, "perform", self._perform)
            wrapt.wrap_function_wrapper(_defining(rq.Worker, "perform_job"), "perform_job", self._perform_and_flush)
        except Exception as error:  # noqa: BLE001 - RQ must work without us
            internal_error("trace the jobs of RQ", error)

    def _when_cron_is_imported(self, cron: ModuleType) -> None:
        if not self._is_active:
            return
        try:
            wrapt.wrap_function_wrapper(cron.CronJob, "enqueue", order_periodically)
        except Exception as error:  # noqa: BLE001 - as above
            internal_error("trace the periodic jobs of RQ", error)

    def _order(self, wrapped: Callable[..., Any], queue: Any, args: Any, kwargs: Any) -> Any:
        job = args[0] if args else kwargs.get("job")
        if job is None or not is_instrumentation_enabled():
            return wrapped(*args, **kwargs)
        token = None
        try:
            # A job that its worker puts back, to be tried again, goes on in its workflow: there is none around the worker.
            before = job.meta.get(META_KEY)
            is_again = isinstance(before, Mapping) and not trace.get_current_span().get_span_context().is_valid
            if is_again:
                token = otel_context.attach(carried(before))
            span = start_order(
                self._tracer,
                str(job.func_name),
                system=_SYSTEM,
                destination=str(queue.name),
                retries=(getattr(job, "number_of_retries", None) or 1) if is_again else 0,
                workflow_type=workflow_type_of_order(),
            )
        except Exception as error:  # noqa: BLE001 - the job is queued without a span
            internal_error("begin the span of a job's queueing", error)
            if token is not None:
                detach(token)
            return wrapped(*args, **kwargs)
        try:
            return self._order_within(span, wrapped, queue, job, args, kwargs)
        finally:
            if token is not None:
                detach(token)

    def _order_within(
        self, span: Span, wrapped: Callable[..., Any], queue: Any, job: Any, args: Any, kwargs: Any
    ) -> Any:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                carrier: dict[str, str] = {}
                carry(carrier)
                job.meta[META_KEY] = carrier
                span.set_attribute("messaging.message.id", str(job.id))
                # A queue that is not asynchronous runs the job here and now, and that has steps.
                if getattr(queue, "_is_async", True):
                    with suppress_instrumentation():
                        return wrapped(*args, **kwargs)
                return wrapped(*args, **kwargs)
            except BaseException as error:
                record_failure(span, error)
                raise
            finally:
                span.end()

    def _order_many(self, wrapped: Callable[..., Any], queue: Any, args: Any, kwargs: Any) -> Any:
        if not is_instrumentation_enabled():
            return wrapped(*args, **kwargs)
        spans: list[Span] = []
        given = [*(args[0] if args else kwargs.get("job_datas") or ())]
        try:
            ordered = [self._ordered(data, str(queue.name), spans) for data in given]
        except Exception as error:  # noqa: BLE001 - the jobs are queued without a span
            internal_error("begin the spans of the queueing of jobs", error)
            ordered = given
        handed_on = (ordered, *args[1:]) if args else args
        named = kwargs if args else {**kwargs, "job_datas": ordered}
        try:
            # A queue that is not asynchronous runs the jobs here and now, and they have steps.
            if getattr(queue, "_is_async", True):
                with suppress_instrumentation():
                    return wrapped(*handed_on, **named)
            return wrapped(*handed_on, **named)
        except BaseException as error:
            for span in spans:
                record_failure(span, error)
            raise
        finally:
            for span in spans:
                span.end()

    def _ordered(self, data: Any, destination: str, spans: list[Span]) -> Any:
        """Return what describes a job, with the workflow in it; the span of its ordering is added to *spans*."""
        function = data.func
        name = function if isinstance(function, str) else f"{function.__module__}.{function.__qualname__}"
        span = start_order(
            self._tracer, name, system=_SYSTEM, destination=destination, workflow_type=workflow_type_of_order()
        )
        spans.append(span)
        carrier: dict[str, str] = {}
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            carry(carrier)
        return data._replace(meta={**(data.meta or {}), META_KEY: carrier})

    def _perform(self, wrapped: Callable[..., Any], job: Any, args: Any, kwargs: Any) -> Any:
        try:
            carrier = job.meta.get(META_KEY)
            context = carried(carrier) if isinstance(carrier, Mapping) else Context()
            run = TaskRun(
                self._tracer,
                str(job.func_name),
                context,
                system=_SYSTEM,
                facts={"messaging.message.id": str(job.id), "messaging.destination.name": str(job.origin or "")},
            )
        except Exception as error:  # noqa: BLE001 - the job runs without a span
            internal_error("begin the span of a job", error)
            return wrapped(*args, **kwargs)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        finally:
            run.end()

    def _perform_and_flush(self, wrapped: Callable[..., Any], worker: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        finally:
            # A work horse ends with os._exit() right after its job, which runs no exit handler.
            flush = getattr(trace.get_tracer_provider(), "force_flush", None)
            if getattr(worker, "_is_horse", False) and flush is not None:
                try:
                    flush(self._flush_limit_ms)
                except Exception as error:  # noqa: BLE001 - the job has succeeded
                    internal_error("flush after a job", error)


def _defining(kind: type, method: str) -> type:
    """Return the class from which *kind* has its *method*."""
    return next(owner for owner in kind.__mro__ if method in vars(owner))
