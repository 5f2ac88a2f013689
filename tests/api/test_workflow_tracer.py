"""Workflows and steps by hand: whose id they have, what is current, what their ends say."""

import threading

import pytest
from opentelemetry import context, trace
from opentelemetry.trace import StatusCode

from e2edebug import WorkflowTracer, workflow
from e2edebug.policy import correlation_id
from e2edebug.workflow_tracer import start_workflow

tracer = WorkflowTracer()


def attributes_of(span):
    return dict(span.attributes or {})


def test_the_example_of_the_first_description_works(exported):
    class User:
        pk = 42

        def get_username(self):
            return "maria"

    session = tracer.start_workflow(workflow_type="login", user=User(), metadata={"ip_address": "127.0.0.1"})
    one = tracer.add_trace_step(
        workflow_session=session, layer="api", component="AuthViewSet", operation="authenticate"
    )
    tracer.complete_trace_step(one, metadata={"success": True})
    tracer.complete_workflow(session)

    step_span, session_span = exported.get_finished_spans()
    assert step_span.parent.span_id == session_span.context.span_id
    assert attributes_of(step_span) == {
        "e2edebug.component": "AuthViewSet",
        "e2edebug.operation": "authenticate",
        "e2edebug.layer": "api",
        "e2edebug.pending": True,
        "e2edebug.metadata": {"success": True},
    }
    assert attributes_of(session_span) == {
        "e2edebug.workflow.type": "login",
        "e2edebug.component": "workflow",
        "e2edebug.operation": "login",
        "e2edebug.pending": True,
        "enduser.id": "42",
        "e2edebug.user.label": "maria",
        "e2edebug.workflow.metadata": {"ip_address": "127.0.0.1"},
        "e2edebug.workflow.status": "completed",
    }


def test_outside_a_request_a_workflow_has_an_id_of_its_own(exported):
    first = tracer.start_workflow("import")
    tracer.complete_workflow(first)
    second = tracer.start_workflow("import")
    tracer.complete_workflow(second)

    assert first.correlation_id != second.correlation_id
    assert first.correlation_id == correlation_id.from_trace_id(int(first.trace_id, 16))


def test_inside_a_request_a_workflow_adopts_the_requests_id(exported):
    token = context.attach(context.set_value(correlation_id.CONTEXT_KEY, "from-the-browser"))
    session = tracer.start_workflow("checkout")
    tracer.complete_workflow(session)
    context.detach(token)

    assert session.correlation_id == "from-the-browser"


def test_a_nested_workflow_gets_its_own_id_and_points_at_its_parent(exported):
    with workflow("checkout") as outer, workflow("payment") as inner:
        pass

    payment, checkout = exported.get_finished_spans()
    assert inner.correlation_id != outer.correlation_id
    assert attributes_of(payment)["e2edebug.workflow.parent"] == outer.correlation_id
    assert payment.parent.span_id == checkout.context.span_id


@pytest.mark.parametrize("hostile", ["", "a\r\nSet-Cookie: x", "\x1b[31m", "x" * 65, 7, "ünïcode"])
def test_an_id_that_is_not_well_formed_is_replaced(exported, hostile):
    session = tracer.start_workflow("login", correlation_id=hostile)
    tracer.complete_workflow(session)

    assert session.correlation_id != hostile
    assert correlation_id.accept(session.correlation_id) == session.correlation_id


def test_steps_ended_in_another_order_leave_nothing_current(exported):
    session = tracer.start_workflow("checkout")
    first = tracer.add_trace_step(session, "api", "Cart", "load")
    second = tracer.add_trace_step(session, "api", "Cart", "price")
    tracer.complete_workflow(session)
    tracer.complete_trace_step(first)
    tracer.complete_trace_step(second)

    assert not trace.get_current_span().get_span_context().is_valid


def test_a_step_added_on_another_thread_is_a_child_of_the_workflow(exported):
    session = tracer.start_workflow("checkout")

    def on_another_thread():
        tracer.complete_trace_step(tracer.add_trace_step(session, "external", "Bank", "authorise"))

    thread = threading.Thread(target=on_another_thread)
    thread.start()
    thread.join()
    tracer.complete_workflow(session)

    step_span, session_span = exported.get_finished_spans()
    assert step_span.parent.span_id == session_span.context.span_id


def test_a_failed_step_keeps_the_exception_and_a_failed_workflow_says_so(exported):
    session = tracer.start_workflow("checkout")
    one = tracer.add_trace_step(session, "external", "Bank", "authorise")
    tracer.fail_trace_step(one, TimeoutError("bank did not answer"), metadata={"tries": 3})
    tracer.fail_workflow(session, "payment impossible")

    step_span, session_span = exported.get_finished_spans()
    assert step_span.status.description == "TimeoutError: bank did not answer"
    assert step_span.events[0].attributes["exception.type"] == "TimeoutError"
    assert (session_span.status.status_code, session_span.status.description) == (
        StatusCode.ERROR,
        "payment impossible",
    )
    assert attributes_of(session_span)["e2edebug.workflow.status"] == "failed"


def test_a_second_end_changes_nothing(exported):
    session = tracer.start_workflow("checkout")
    session.complete()
    session.fail("too late")
    session.add_metadata({"too": "late"})

    (span,) = exported.get_finished_spans()
    assert attributes_of(span)["e2edebug.workflow.status"] == "completed"


def test_a_handle_says_how_to_get_its_row(exported):
    session = tracer.start_workflow("checkout")
    session.complete()

    with pytest.raises(AttributeError, match=f"{session.correlation_id}.*e2edebug.flush"):
        _ = session.id


@pytest.mark.parametrize("wrong", ["", "  ", None, 7])
def test_a_workflow_type_that_is_no_name_is_refused(wrong):
    with pytest.raises(ValueError, match="is not a name such as 'checkout'"):
        start_workflow(wrong)


def test_metadata_of_any_kind_never_raises(exported):
    class Odd:
        def __str__(self):
            raise RuntimeError

    endless: dict = {}
    endless["self"] = endless
    session = tracer.start_workflow("odd", metadata={1: Odd(), "bytes": b"\xff", "endless": endless, "set": {1}})
    session.complete()

    (span,) = exported.get_finished_spans()
    kept = attributes_of(span)["e2edebug.workflow.metadata"]
    assert kept["1"] == "<Odd whose __str__ raised RuntimeError>"
    assert kept["bytes"] == "<1 bytes>"


def test_before_init_the_calls_cost_nothing_and_give_usable_handles():
    session = tracer.start_workflow("login")
    one = tracer.add_trace_step(session, "api", "AuthViewSet", "authenticate")
    tracer.complete_trace_step(one)
    tracer.complete_workflow(session)

    assert correlation_id.accept(session.correlation_id)
    assert one.correlation_id
