"""What the steps of a paid checkout have to be: one tree, across the processes that made them."""

import json
from collections.abc import Sequence
from typing import Any

STEPS = "SELECT * FROM debugging_trace_step WHERE correlation_id = :id ORDER BY start_time, id"
CHECKOUT = "e2e-paid"


def assert_one_tree(steps: Sequence[Any]) -> None:
    """Check that the steps of a paid checkout hang together, across the processes that made them."""
    by_id = {step.span_id: step for step in steps}

    def above(step: Any) -> Any:
        return by_id[step.parent_span_id]

    (root,) = [step for step in steps if step.parent_span_id is None]
    assert (root.kind, root.layer, root.component) == ("server", "api", "CheckoutView")
    assert {step.trace_id for step in steps} == {root.trace_id}
    assert {step.layer for step in steps} == {"api", "cache", "database", "external", "system"}
    assert all(step.parent_span_id in by_id for step in steps if step is not root)

    (look_up,) = [step for step in steps if step.layer == "cache"]
    assert (look_up.component, look_up.operation, above(look_up)) == ("default", "get_or_set", root)

    (call,) = [step for step in steps if step.operation == "POST /charges"]
    assert (call.kind, above(call).component, above(above(call)).operation) == (
        "client",
        "payment-provider",
        "checkout",
    )

    (ordered,) = [step for step in steps if step.kind == "producer"]
    (run,) = [step for step in steps if step.kind == "consumer"]
    assert (above(ordered).operation, above(run)) == ("checkout", ordered)
    assert {step.layer for step in steps if step.parent_span_id == run.span_id} == {"database"}
    web, worker = (json.loads(step.metadata)["service.instance.id"] for step in (root, run))
    assert web != worker
