"""What `e2edebug.testing` gives to the tests of applications."""

import e2edebug.testing
from e2edebug import step, workflow


class Cart:
    @step(layer="api")
    def price(self) -> int:
        return 1


@workflow("checkout")
def checkout() -> None:
    Cart().price()
    with step(layer="external", component="Bank", operation="authorise"):
        raise TimeoutError("no answer")


def test_a_workflow_compares_as_text():
    with e2edebug.testing.capture() as captured:
        try:
            checkout()
        except TimeoutError:
            pass

    assert captured.tree() == (
        "system workflow checkout [failed]\n"
        "  api Cart price\n"
        "  external Bank authorise [failed]\n"
    )  # fmt: skip


def test_ids_and_times_are_the_same_in_every_run():
    with e2edebug.testing.capture() as captured:
        Cart().price()

    (span,) = captured.spans
    assert (span.context.trace_id, span.context.span_id) == (1, 1)
    (row,) = captured.steps
    assert (row.start_time, row.duration_ms) == ("2000-01-01 00:00:00.000000", 1000.0)


def test_an_exception_recorded_on_two_spans_is_one_error():
    with e2edebug.testing.capture() as captured:
        try:
            checkout()
        except TimeoutError:
            pass

    (error,) = captured.errors
    assert (error.error_type, error.component, error.error_message) == ("TimeoutError", "Bank", "no answer")


def test_nothing_is_collected_outside_the_block():
    with e2edebug.testing.capture() as captured:
        pass
    Cart().price()

    assert captured.spans == []
