"""Each fault of the shop, and how it looks in the store."""

import json
from typing import Any

import sqlalchemy as sa
from end_to_end.shop_run import Recording

STEPS = "SELECT * FROM debugging_trace_step WHERE correlation_id = :id ORDER BY start_time, id"
SESSION = "SELECT * FROM debugging_workflow_session WHERE correlation_id = :id"
ERRORS = "SELECT * FROM debugging_error_log WHERE correlation_id = :id ORDER BY timestamp"


def session_of(recording: Recording, correlation_id: str) -> "sa.Row[Any]":
    (row,) = recording.rows(SESSION, id=correlation_id)
    return row


def test_the_answer_names_the_workflow_under_which_it_is_stored(recording: Recording) -> None:
    unnamed = recording.answers["unnamed"].correlation_id

    assert session_of(recording, unnamed).root_operation
    assert recording.answers["paid"].correlation_id == "e2e-paid"


def test_a_hostile_correlation_id_is_replaced_and_stored_nowhere(recording: Recording) -> None:
    given = recording.answers["hostile id"].correlation_id

    assert len(given) == 36
    assert session_of(recording, given).status == "completed"
    assert recording.one("SELECT COUNT(*) FROM debugging_trace_step WHERE metadata LIKE '%one two%'") == 0


def test_a_product_that_is_not_there_is_no_failure(recording: Recording) -> None:
    assert recording.answers["missing"].status == 404
    assert session_of(recording, "e2e-missing").status == "completed"
    assert recording.rows(ERRORS, id="e2e-missing") == []


def test_an_n_plus_one_shows_as_one_statement_repeated_from_a_line_of_the_shop(recording: Recording) -> None:
    session = session_of(recording, "e2e-n-plus-one")
    repeated = [
        row for row in recording.rows(STEPS, id="e2e-n-plus-one") if row.statement_digest == session.repeat_digest
    ]

    assert session.repeat_count == len(repeated) == 24
    assert {row.code_location.rpartition(":")[0].rpartition("/")[2] for row in repeated} == {"serializers.py"}
    assert session_of(recording, "e2e-healthy-list").repeat_count < 2


def test_a_crashing_serializer_is_one_error_a_request_and_one_group(recording: Recording) -> None:
    first, second = (recording.rows(ERRORS, id=name) for name in ("e2e-crash-1", "e2e-crash-2"))
    assert recording.answers["crash"].status == 500
    assert (len(first), len(second)) == (1, 1)

    (error,), (again,) = first, second
    assert error.error_type.endswith("ValueError")
    assert "get_dimensions" in error.stack_trace
    assert (error.layer, error.component) == ("api", "ProductViewSet")
    assert error.fingerprint == again.fingerprint
    groups = recording.rows("SELECT * FROM debugging_error_group WHERE fingerprint = :it", it=error.fingerprint)
    stored = recording.one("SELECT COUNT(*) FROM debugging_error_log WHERE fingerprint = :it", it=error.fingerprint)
    assert [group.occurrences for group in groups] == [stored]


def test_a_payment_that_times_out_is_a_failed_checkout_of_a_known_user(recording: Recording) -> None:
    session = session_of(recording, "e2e-timeout")
    steps = recording.rows(STEPS, id="e2e-timeout")

    assert recording.answers["timeout"].status == 504
    assert (session.workflow_type, session.status, session.user_label) == ("checkout", "failed", "customer3")
    (charge,) = [step for step in steps if step.component == "payment-provider"]
    assert (charge.layer, charge.operation, charge.status) == ("external", "charge", "failed")
    assert charge.duration_ms >= 500
    assert session.slowest_ms >= charge.duration_ms


def test_a_call_that_is_not_answered_says_so_on_its_step(recording: Recording) -> None:
    (call,) = [step for step in recording.rows(STEPS, id="e2e-timeout") if step.operation == "POST /charges"]

    assert (call.layer, call.component, call.status) == ("external", "127.0.0.1", "failed")
    assert call.status_message.startswith("ReadTimeout: no answer came in time")


def test_a_cache_that_forgets_everything_has_a_hit_rate_of_nothing(recording: Recording) -> None:
    looks = [step for step in recording.rows(STEPS, id="e2e-cold") if step.layer == "cache"]

    assert [json.loads(step.metadata)["cache.hit"] for step in looks] == [False, False]
    (below, *_) = [step for step in recording.rows(STEPS, id="e2e-cold") if step.parent_span_id == looks[0].span_id]
    assert below.layer == "database"
    assert (
        recording.one("SELECT MIN(metric_value) FROM debugging_performance_snapshot WHERE metric_name = 'hit_rate'")
        < 100
    )


def test_a_task_that_fails_is_a_failed_step_of_a_checkout_that_went_well(recording: Recording) -> None:
    steps = recording.rows(STEPS, id="e2e-no-mail")
    tries = [step for step in steps if step.component == "orders.send_confirmation" and step.kind == "consumer"]

    assert recording.answers["no mail"].status == 201
    assert [(step.operation, step.status) for step in tries] == [("run", "completed"), ("retry", "failed")]
    assert tries[1].status_message == "MailServerError: the mail server says: 451 try again later"
    (error,) = recording.rows(ERRORS, id="e2e-no-mail")
    assert (error.layer, error.component) == ("system", "orders.send_confirmation")


def test_an_exception_that_passes_many_steps_is_one_error(recording: Recording) -> None:
    """The shop makes an exception of its own of the client's: these are two, told once each."""
    at_the_call, in_the_shop = recording.rows(ERRORS, id="e2e-timeout")

    assert at_the_call.error_type.endswith("ReadTimeout")
    assert in_the_shop.error_type.endswith("PaymentTimeoutError")
    assert session_of(recording, "e2e-timeout").error_count == 2


def test_the_steps_of_a_checkout_that_went_well_are_all_completed(recording: Recording) -> None:
    steps = recording.rows(STEPS, id="e2e-paid")

    assert recording.answers["paid"].status == 201
    assert {step.status for step in steps} == {"completed"}
    assert [step.operation for step in steps if step.operation in ("open_order", "charge", "settle")] == [
        "open_order",
        "charge",
        "settle",
    ]
    assert session_of(recording, "e2e-paid").status == "completed"


def test_a_lock_held_elsewhere_is_a_failed_statement_that_says_why(recording: Recording) -> None:
    failed = [
        row for row in recording.rows(STEPS, id="e2e-locked") if (row.layer, row.status) == ("database", "failed")
    ]
    errors = recording.rows(ERRORS, id="e2e-locked")

    assert recording.answers["locked"].status == 500
    assert session_of(recording, "e2e-locked").status == "failed"
    assert failed[0].duration_ms >= 1500
    expected = "1205" if recording.dialect == "mysql" else "database is locked"
    assert expected in errors[0].error_message
    assert len(errors) == 1
