"""The explicit workflows that are open in one request."""

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from e2edebug_instrumentation.correlation.workflow_scope import CONTEXT_KEY, WorkflowScope, current_workflow_scope


def test_the_workflow_started_last_is_the_innermost() -> None:
    scope = WorkflowScope()
    outer, inner = object(), object()

    scope.push(outer)
    scope.push(inner)
    assert scope.innermost is inner
    scope.remove(inner)
    assert scope.innermost is outer


def test_workflows_may_end_in_any_order_and_more_than_once() -> None:
    scope = WorkflowScope()
    outer, inner = object(), object()
    scope.push(outer)
    scope.push(inner)

    scope.remove(outer)
    scope.remove(outer)

    assert scope.innermost is inner


def test_a_closed_scope_is_empty_and_stays_so() -> None:
    scope = WorkflowScope()
    scope.push(object())

    scope.close()
    scope.push(object())

    assert scope.innermost is None


def test_the_scope_is_found_in_the_context_and_nowhere_else() -> None:
    scope = WorkflowScope()

    assert current_workflow_scope(otel_context.set_value(CONTEXT_KEY, scope, Context())) is scope
    assert current_workflow_scope(Context()) is None
