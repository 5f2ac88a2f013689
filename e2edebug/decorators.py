"""`@workflow` and `@step`: the same two words as decorators and as context managers.

They work on functions, methods, coroutines, generators and async generators. A generator's step lasts from its first
item to its end, and is current only while the generator itself runs, not while its consumer does.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span

from e2edebug.class_steps import IS_STEP, with_steps
from e2edebug.policy import attributes
from e2edebug.policy.plain_values import plain
from e2edebug.policy.self_report import internal_error
from e2edebug.step_names import caller_module, caller_name, component_of, operation_of
from e2edebug.workflow_tracer import (
    TraceStep,
    WorkflowSession,
    checked_layer,
    start_step,
    start_workflow,
)
from e2edebug_instrumentation.context_end import detach
from e2edebug_instrumentation.span_failure import record_failure

F = TypeVar("F", bound=Any)
H = TypeVar("H", WorkflowSession, TraceStep)

_tracer = trace.get_tracer("e2edebug")


@overload
def workflow(workflow_type: F, /) -> F: ...
@overload
def workflow(
    workflow_type: str | None = None, /, *, metadata: Mapping[str, object] | None = None
) -> "WorkflowDecorator": ...
def workflow(workflow_type: Any = None, /, *, metadata: Mapping[str, object] | None = None) -> Any:
    """Make a workflow of a function (`@workflow("checkout")`), or of a block (`with workflow("checkout") as session`).

    Without a name, the function's own. The workflow is `completed` when the function returns or the block ends, and
    `failed` when it raises; the exception passes through unchanged.
    """
    if callable(workflow_type) or isinstance(workflow_type, (staticmethod, classmethod)):
        return WorkflowDecorator(None, metadata)(workflow_type)
    if workflow_type is not None and (not isinstance(workflow_type, str) or not workflow_type.strip()):
        raise ValueError(f"workflow({workflow_type!r}): the type is not a name such as 'checkout'")
    return WorkflowDecorator(workflow_type, metadata)


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    function: None = None,
    /,
    *,
    layer: str | None = None,
    component: str | None = None,
    operation: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> "StepDecorator": ...
def step(
    function: Any = None,
    /,
    *,
    layer: str | None = None,
    component: str | None = None,
    operation: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> Any:
    """Make a step of a function (`@step`, `@step(layer="api")`), or of a block (`with step(operation="price")`).

    Left out, the component is the class of a method or the last part of the module's name, the operation the
    function's name, the layer the parent's. Above a class it makes steps of the public methods that the class defines,
    and of the methods by which a view answers requests. A property's step is its reading. Stands below `@receiver` and
    `@register.simple_tag`, which remember the function that they are given.
    Raises ValueError for an unknown layer, when decorating.
    """
    if layer is not None:
        checked_layer(layer)
    scope = StepDecorator(layer, component, operation, metadata)
    if function is None:
        return scope
    return scope(function)


class _Block(Generic[H]):
    """The context manager side of both words. One object may surround blocks within each other, not in two threads."""

    def __init__(self) -> None:
        self._running: list[H] = []

    def _begin_block(self) -> H:
        raise NotImplementedError

    def __enter__(self) -> H:
        self._running.append(self._begin_block())
        return self._running[-1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.pop().__exit__(kind, error, traceback)

    async def __aenter__(self) -> H:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class WorkflowDecorator(_Block[WorkflowSession]):
    """What `workflow("checkout")` returns: decorates a function, or surrounds a block."""

    def __init__(self, workflow_type: str | None, metadata: Mapping[str, object] | None) -> None:
        super().__init__()
        self._workflow_type = workflow_type
        self._metadata = metadata

    def __call__(self, function: F) -> F:
        workflow_type = self._workflow_type
        metadata = self._metadata

        def begin(name: str) -> _Run:
            return _WorkflowRun(
                start_workflow(workflow_type or name, metadata=metadata, is_pending=True, is_current=False)
            )

        traced: F = _wrapped(function, lambda plain_function: functools.partial(begin, plain_function.__name__))
        return traced

    def _begin_block(self) -> WorkflowSession:
        return start_workflow(self._workflow_type or caller_name(), metadata=self._metadata, is_pending=True)


class StepDecorator(_Block[TraceStep]):
    """What `step(...)` returns: decorates a function, or surrounds a block."""

    def __init__(
        self,
        layer: str | None,
        component: str | None,
        operation: str | None,
        metadata: Mapping[str, object] | None,
    ) -> None:
        super().__init__()
        self._layer = layer
        self._component = component
        self._operation = operation
        self._metadata = metadata

    def __call__(self, function: F) -> F:
        traced: Any = function
        if inspect.isclass(function):
            traced = with_steps(function, self._as_component)
        elif isinstance(function, property):
            traced = function.getter(_wrapped(function.fget, self._beginning_of))
        elif type(function).__name__ == "cached_property":  # functools' and Django's
            traced = type(function)(
                _wrapped(vars(function).get("real_func") or vars(function)["func"], self._beginning_of)
            )
        else:
            traced = _wrapped(function, self._beginning_of)
            setattr(getattr(traced, "__func__", traced), IS_STEP, True)
        return cast(F, traced)

    def _as_component(self, function: Any, component: str) -> Any:
        return StepDecorator(self._layer, self._component or component, self._operation, self._metadata)(function)

    def _beginning_of(self, function: Callable[..., Any]) -> "Callable[[], _Run]":
        component = self._component or component_of(function)
        operation = self._operation or operation_of(function)
        name = f"{component}.{operation}"
        fields: dict[str, Any] = {attributes.COMPONENT: component, attributes.OPERATION: operation}
        if self._layer is not None:
            fields[attributes.LAYER] = self._layer
        if self._metadata:
            fields[attributes.METADATA] = plain(self._metadata)

        def begin() -> _Run:
            # No handle here: a decorated function may be called thousands of times in one request.
            return _StepRun(_tracer.start_span(name, attributes=fields))

        return begin

    def _begin_block(self) -> TraceStep:
        return start_step(
            layer=self._layer,
            component=self._component or caller_module(),
            operation=self._operation or caller_name(),
            metadata=self._metadata,
        )


class _Run(Protocol):
    """One call of a decorated function."""

    @property
    def context(self) -> Context: ...

    def finish(self, error: BaseException | None) -> None: ...


class _StepRun:
    __slots__ = ("_span", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = trace.set_span_in_context(span)

    def finish(self, error: BaseException | None) -> None:
        if error is not None:
            record_failure(self._span, error)
        self._span.end()


class _WorkflowRun:
    __slots__ = ("_session", "context")

    def __init__(self, session: WorkflowSession) -> None:
        self._session = session
        self.context = session.context

    def finish(self, error: BaseException | None) -> None:
        self._session.__exit__(None if error is None else type(error), error, None)


def _wrapped(function: Any, beginning_of: Callable[[Callable[..., Any]], Callable[[], _Run]]) -> Any:
    """Return *function* wrapped by its kind. A static or class method stays one, in either order of decorators."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(_wrapped(function.__func__, beginning_of))
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"{function!r} is not a function; decorate its methods or the functions that use it")
    begin = _guarded(beginning_of(function))
    if inspect.isasyncgenfunction(function):
        return _wrapped_async_generator(function, begin)
    if inspect.iscoroutinefunction(function):
        return _wrapped_coroutine(function, begin)
    if inspect.isgeneratorfunction(function):
        return _wrapped_generator(function, begin)
    return _wrapped_function(function, begin)


class _NoRun:
    """What a call gets when its span could not be started: the function runs as if it were not decorated."""

    @property
    def context(self) -> Context:
        return context.get_current()

    def finish(self, error: BaseException | None) -> None:
        """Nothing was started."""


def _guarded(begin: Callable[[], _Run]) -> Callable[[], _Run]:
    def guarded_begin() -> _Run:
        try:
            return begin()
        except Exception as error:  # noqa: BLE001 - other span processors of the process may raise anything
            internal_error("start a decorated step", error)
            return _NoRun()

    return guarded_begin


def _finish(run: _Run, error: BaseException | None) -> None:
    try:
        run.finish(error)
    except Exception as failure:  # noqa: BLE001 - other span processors of the process may raise anything
        internal_error("end a decorated step", failure)


def _wrapped_function(function: Callable[..., Any], begin: Callable[[], _Run]) -> Callable[..., Any]:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        run = begin()
        token = context.attach(run.context)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            _finish(run, error)
            raise
        else:
            _finish(run, None)
            return result
        finally:
            detach(token)

    return traced


def _wrapped_coroutine(
    function: Callable[..., Awaitable[Any]], begin: Callable[[], _Run]
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        run = begin()
        token = context.attach(run.context)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            _finish(run, error)
            raise
        else:
            _finish(run, None)
            return result
        finally:
            detach(token)

    return traced


def _wrapped_generator(
    function: Callable[..., Generator[Any, Any, Any]], begin: Callable[[], _Run]
) -> Callable[..., Generator[Any, Any, Any]]:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner = function(*args, **kwargs)
        run = begin()
        resume: Callable[[], Any] = functools.partial(next, inner)
        while True:
            token = context.attach(run.context)
            try:
                item = resume()
            except StopIteration as end:
                _finish(run, None)
                return end.value
            except BaseException as error:
                _finish(run, error)
                raise
            finally:
                detach(token)
            try:
                resume = functools.partial(inner.send, (yield item))
            except GeneratorExit:
                # The consumer stopped early: nothing failed. close() runs the generator's own clean-up.
                token = context.attach(run.context)
                try:
                    inner.close()
                except BaseException as error:
                    _finish(run, error)
                    raise
                finally:
                    detach(token)
                _finish(run, None)
                raise
            except BaseException as thrown:  # noqa: BLE001 - generator.throw(): handed to the function unchanged
                resume = functools.partial(inner.throw, thrown)

    return traced


def _wrapped_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], begin: Callable[[], _Run]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        run = begin()
        resume: Callable[[], Awaitable[Any]] = inner.__anext__
        while True:
            token = context.attach(run.context)
            try:
                item = await resume()
            except StopAsyncIteration:
                _finish(run, None)
                return
            except BaseException as error:
                _finish(run, error)
                raise
            finally:
                detach(token)
            try:
                resume = functools.partial(inner.asend, (yield item))
            except GeneratorExit:
                token = context.attach(run.context)
                try:
                    await inner.aclose()
                except BaseException as error:
                    _finish(run, error)
                    raise
                finally:
                    detach(token)
                _finish(run, None)
                raise
            except BaseException as thrown:  # noqa: BLE001 - athrow(): handed to the function unchanged
                resume = functools.partial(inner.athrow, thrown)

    return traced
