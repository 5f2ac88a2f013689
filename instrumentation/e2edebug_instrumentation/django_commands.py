"""A management command is a workflow: what it queries belongs together instead of being a workflow per statement."""

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.trace import Span, Status, StatusCode

from e2edebug.policy import attributes
from e2edebug.policy.plain_values import text_of

NOT_WORKFLOWS: Final = frozenset(
    {"dbshell", "runserver", "runserver_plus", "shell", "shell_plus", "test", "testserver"}
)
"""Commands that are a session at a keyboard or a server, not a piece of work with an end."""

_tracer = trace.get_tracer("e2edebug.django_commands")


class DjangoCommandInstrumentor(BaseInstrumentor):  # type: ignore[misc] # its package has no type information
    """Makes each `manage.py` command a step of layer `system`, and a workflow where nothing encloses it."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **_options: Any) -> None:
        self._is_active = True
        wrapt.register_post_import_hook(self._wrap_execute, "django.core.management.base")

    def _uninstrument(self, **_options: Any) -> None:
        self._is_active = False
        base = sys.modules.get("django.core.management.base")
        execute = getattr(getattr(base, "BaseCommand", None), "execute", None)
        if isinstance(execute, wrapt.ObjectProxy):
            base.BaseCommand.execute = execute.__wrapped__  # type: ignore[union-attr] # execute came from base

    def _wrap_execute(self, base: Any) -> None:
        # The hook stays registered for good and may run after uninstrument(), and once for each instrument().
        if self._is_active and not isinstance(base.BaseCommand.execute, wrapt.ObjectProxy):
            wrapt.wrap_function_wrapper(base, "BaseCommand.execute", _execute_in_a_span)


def _execute_in_a_span(
    execute: Callable[..., Any], command: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    name = type(command).__module__.rpartition(".")[2]
    if name in NOT_WORKFLOWS:
        return execute(*args, **kwargs)
    fields = {attributes.LAYER: "system", attributes.COMPONENT: name, attributes.OPERATION: "handle"}
    if not trace.get_current_span().get_span_context().is_valid:
        fields[attributes.WORKFLOW_TYPE] = "command"
    span = _tracer.start_span(f"manage.py {name}", attributes=fields)
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            return execute(*args, **kwargs)
        except SystemExit as end:
            if end.code not in (None, 0):
                span.set_status(Status(StatusCode.ERROR, f"exit code {text_of(end.code)}"))
            raise
        except Exception as error:
            _record(span, error)
            raise


def _record(span: Span, error: Exception) -> None:
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}"))
    try:
        span.record_exception(error)
    except Exception:  # noqa: BLE001 - formatting an exception runs its __str__, which may raise anything
        span.add_event("exception", {"exception.type": type(error).__name__})
