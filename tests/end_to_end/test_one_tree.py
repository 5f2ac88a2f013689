"""A checkout touches cache, SQL, another company's service and a task in another process: it is one tree."""

import json
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from end_to_end.shop_run import (
    PATIENCE_S,
    PRODUCTS,
    REVIEWS,
    Recording,
    Report,
    RunningShop,
    Visitor,
    environment_of_shop,
)

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


def test_under_gunicorn_and_a_prefork_worker(recording: Recording) -> None:
    assert recording.answers["paid"].status == 201

    assert_one_tree(recording.rows(STEPS, id=CHECKOUT))


@pytest.mark.parametrize("dialect", ["sqlite", "mariadb"])
def test_under_uvicorn_and_a_prefork_worker(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if dialect == "sqlite":
        store_url = f"sqlite:///{tmp_path / 'e2edebug.sqlite3'}"
        shutil.copy(request.getfixturevalue("sqlite_shop"), tmp_path)
        databases = {"E2EDEBUG_DATABASE_URL": store_url}
    else:
        server = request.getfixturevalue("mariadb_server")
        store_url = server.url(f"shop_{secrets.token_hex(4)}")
        request.addfinalizer(lambda: server.drop_database(store_url))
        databases = {"DATABASE_URL": store_url}
    shop = RunningShop(tmp_path, environment_of_shop(databases), server="uvicorn", stop_limit_s=PATIENCE_S)
    if dialect == "mariadb":
        shop.prepare("--products", str(PRODUCTS), "--reviews", str(REVIEWS))
    with shop:
        visitor = Visitor(shop.url, Report())
        visitor.log_in_as("customer3")
        visitor.ask(None, "POST", "/api/cart/lines/", {"product": 5, "quantity": 1})
        paid = visitor.ask(CHECKOUT, "POST", "/api/checkout/", {"card_token": "tok_4242"})
        visitor.leave()

    assert paid.status == 201
    store = sa.create_engine(store_url)
    with store.connect() as connection:
        steps = connection.execute(sa.text(STEPS), {"id": CHECKOUT}).all()
    store.dispose()
    assert_one_tree(steps)
