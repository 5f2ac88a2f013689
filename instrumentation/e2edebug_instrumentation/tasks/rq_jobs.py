"""RQ: a job belongs to the workflow that queued it. Its `meta` carries it, under a key of our own."""

import sys
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation, unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.span_failure import record_failure
from e2edebug_instrumentation.tasks.task_span import INSTRUMENTATION_SCOPE, TaskRun, carried, carry, start_order

META_KEY: Final = "e2edebug"

_SYSTEM: Final = "rq"
_ORDERING_METHODS: Final = ("enqueue_job", "schedule_job")
_FLUSH_LIMIT_MS: Final = 5000
"""A work horse ends with os._exit() right after its job, which runs no exit handler."""


class RQInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes a span of each queueing and each run of a job; instrument() takes `tracer_provider`."""

    _is_active = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without RQ it waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracer = trace.get_tracer(INSTRUMENTATION_SCOPE, tracer_provider=kwargs.get("tracer_provider"))
        self._is_active = True
        if not RQInstrumentor._is_hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks whether it is wanted.
            RQInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_imported, "rq")
        elif "rq" in sys.modules:
            self._when_imported(sys.modules["rq"])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        rq: Any = sys.modules.get("rq")
        if rq is None:
            return
        for method in _ORDERING_METHODS:
            unwrap(rq.Queue, method)
        unwrap(rq.job.Job, "perform")
        unwrap(_defining(rq.Worker, "perform_job"), "perform_job")

    def _when_imported(self, rq: ModuleType) -> None:
        if not self._is_active:
            return
        try:
            for method in _ORDERING_METHODS:
                wrapt.wrap_function_wrapper(rq.Queue, method, self._order)
            wrapt.wrap_function_wrapper(rq.job.Job, "perform", self._perform)
            wrapt.wrap_function_wrapper(_defining(rq.Worker, "perform_job"), "perform_job", _perform_and_flush)
        except Exception as error:  # noqa: BLE001 - RQ must work without us
            internal_error("trace the jobs of RQ", error)

    def _order(self, wrapped: Callable[..., Any], queue: Any, args: Any, kwargs: Any) -> Any:
        job = args[0] if args else kwargs.get("job")
        if job is None or not is_instrumentation_enabled():
            return wrapped(*args, **kwargs)
        try:
            span = start_order(self._tracer, str(job.func_name), system=_SYSTEM, destination=str(queue.name))
        except Exception as error:  # noqa: BLE001 - the job is queued without a span
            internal_error("begin the span of a job's queueing", error)
            return wrapped(*args, **kwargs)
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


def _perform_and_flush(wrapped: Callable[..., Any], worker: Any, args: Any, kwargs: Any) -> Any:
    try:
        return wrapped(*args, **kwargs)
    finally:
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if getattr(worker, "_is_horse", False) and flush is not None:
            try:
                flush(_FLUSH_LIMIT_MS)
            except Exception as error:  # noqa: BLE001 - the job has succeeded
                internal_error("flush after a job", error)


def _defining(kind: type, method: str) -> type:
    """Return the class from which *kind* has its *method*."""
    return next(owner for owner in kind.__mro__ if method in vars(owner))
