"""Django's own tasks (6.0 and later): ordering one is a step, and running it another.

A back end that runs tasks in this process hands the workflow on. Django's interface has no place in which a back end in
another process could be given it: there a task is a workflow of its own.
"""

import sys
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, unwrap

from e2edebug.policy.self_report import internal_error
from e2edebug_instrumentation.span_failure import record_failure
from e2edebug_instrumentation.tasks.task_span import INSTRUMENTATION_SCOPE, TaskRun, start_order

_MODULE: Final = "django.tasks.base"
_SYSTEM: Final = "django.tasks"


class DjangoTasksInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes a span of each queueing and each run of a task; instrument() takes `tracer_provider`."""

    _is_active = False
    _is_hooked = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: without Django 6 it waits for it."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracer = trace.get_tracer(INSTRUMENTATION_SCOPE, tracer_provider=kwargs.get("tracer_provider"))
        self._is_active = True
        if not DjangoTasksInstrumentor._is_hooked:
            # A hook for an import cannot be taken back: there is one per process, and it asks whether it is wanted.
            DjangoTasksInstrumentor._is_hooked = True
            wrapt.register_post_import_hook(self._when_imported, _MODULE)
        elif _MODULE in sys.modules:
            self._when_imported(sys.modules[_MODULE])

    def _uninstrument(self, **_: Any) -> None:
        self._is_active = False
        module: Any = sys.modules.get(_MODULE)
        if module is not None:
            for method in self._wrappers():
                unwrap(module.Task, method)

    def _when_imported(self, module: ModuleType) -> None:
        if not self._is_active:
            return
        try:
            for method, wrapper in self._wrappers().items():
                wrapt.wrap_function_wrapper(module.Task, method, wrapper)
        except Exception as error:  # noqa: BLE001 - Django's tasks must work without us
            internal_error("trace the tasks of Django", error)

    def _wrappers(self) -> dict[str, Callable[..., Any]]:
        return {"enqueue": self._enqueue, "aenqueue": self._aenqueue, "call": self._call, "acall": self._acall}

    def _enqueue(self, wrapped: Callable[..., Any], task: Any, args: Any, kwargs: Any) -> Any:
        span = self._order(task)
        if span is None:
            return wrapped(*args, **kwargs)
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                result = wrapped(*args, **kwargs)
            except BaseException as error:
                record_failure(span, error)
                raise
            else:
                span.set_attribute("messaging.message.id", str(result.id))
                return result
            finally:
                span.end()

    async def _aenqueue(self, wrapped: Callable[..., Any], task: Any, args: Any, kwargs: Any) -> Any:
        span = self._order(task)
        if span is None:
            return await wrapped(*args, **kwargs)
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                result = await wrapped(*args, **kwargs)
            except BaseException as error:
                record_failure(span, error)
                raise
            else:
                span.set_attribute("messaging.message.id", str(result.id))
                return result
            finally:
                span.end()

    def _call(self, wrapped: Callable[..., Any], task: Any, args: Any, kwargs: Any) -> Any:
        run = self._run(task)
        if run is None:
            return wrapped(*args, **kwargs)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        finally:
            run.end()

    async def _acall(self, wrapped: Callable[..., Any], task: Any, args: Any, kwargs: Any) -> Any:
        run = self._run(task)
        if run is None:
            return await wrapped(*args, **kwargs)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        finally:
            run.end()

    def _order(self, task: Any) -> Any:
        if not is_instrumentation_enabled():
            return None
        try:
            return start_order(self._tracer, _name_of(task), system=_SYSTEM, destination=str(task.queue_name))
        except Exception as error:  # noqa: BLE001 - the task is queued without a span
            internal_error("begin the span of a task's queueing", error)
            return None

    def _run(self, task: Any) -> TaskRun | None:
        try:
            return TaskRun(self._tracer, _name_of(task), otel_context.get_current(), system=_SYSTEM, facts={})
        except Exception as error:  # noqa: BLE001 - the task runs without a span
            internal_error("begin the span of a task", error)
            return None


def _name_of(task: Any) -> str:
    function = task.func
    return f"{function.__module__}.{function.__qualname__}"
