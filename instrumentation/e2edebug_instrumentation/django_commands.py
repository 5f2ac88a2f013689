"""A management command is a workflow: what it queries belongs together instead of being a workflow per statement."""

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined] # see the class
from opentelemetry.instrumentation.utils import suppress_instrumentation
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
        wrapt.register_post_import_hook(self._wrap_commands, "django.core.management.base")

    def _uninstrument(self, **_options: Any) -> None:
        self._is_active = False
        command = getattr(sys.modules.get("django.core.management.base"), "BaseCommand", None)
        for name in _WRAPPERS if command is not None else ():
            method = vars(command)[name]
            if isinstance(method, wrapt.FunctionWrapper):
                setattr(command, name, method.__wrapped__)

    def _wrap_commands(self, base: Any) -> None:
        # The hook stays registered for good and may run after uninstrument(), and once for each instrument().
        if not self._is_active:
            return
        for name, wrapper in _WRAPPERS.items():
            # Not ObjectProxy: wrapt 2 derives its wrappers from another class.
            if not isinstance(vars(base.BaseCommand)[name], wrapt.FunctionWrapper):
                wrapt.wrap_function_wrapper(base, f"BaseCommand.{name}", wrapper)


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


def _check_unseen(check: Callable[..., Any], command: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG001 - wrapt's signature
    """Run Django's own checks without recording their queries, unless they belong to a workflow.

    Before `runserver` serves, and after each of its reloads, it reads the tables and migrations of the database. No step
    of the application's is in that, and what goes wrong stands on the terminal already.
    """
    if trace.get_current_span().get_span_context().is_valid:
        return check(*args, **kwargs)
    with suppress_instrumentation():
        return check(*args, **kwargs)


_WRAPPERS: Final = {"execute": _execute_in_a_span, "check": _check_unseen, "check_migrations": _check_unseen}
"""What goes around which method of BaseCommand."""


def _record(span: Span, error: Exception) -> None:
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error)}"))
    try:
        span.record_exception(error)
    except Exception:  # noqa: BLE001 - formatting an exception runs its __str__, which may raise anything
        span.add_event("exception", {"exception.type": type(error).__name__})
