"""Workflows written straight into a store's tables, so that the command line has something to read."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

import sqlalchemy as sa
from cli.made_steps import BEGAN, MadeError, MadeStep, query, request, step

from e2edebug_schema.tables import error_log, trace_step, workflow_session

CHECKOUT = "3f2a8c1e-0000-4000-8000-000000000001"
TRACE = "3f2a8c1e000040008000000000000001"
PRICE_SQL = "SELECT `shop_product`.`id`, `shop_product`.`name`, `shop_product`.`price` FROM `shop_product` WHERE `shop_product`.`id` = ?"
USER_SQL = "SELECT `auth_user`.`id`, `auth_user`.`email` FROM `auth_user` WHERE `auth_user`.`id` = ? LIMIT 21"


def checkout_steps() -> list[MadeStep]:
    """A checkout that failed: one price query for each of 37 products, then a payment provider without an answer."""
    root = request(
        "a" * 16, method="POST", path="/api/checkout/", code=500, for_ms=1840, status="failed",
        component="CheckoutViewSet", operation="create", trace_id=TRACE,
    )  # fmt: skip
    prices = [
        query(
            f"{number:016x}", "c" * 16, PRICE_SQL, at_ms=12 + 26 * number, for_ms=20, trace_id=TRACE,
            code_location="shop/serializers.py:41 in get_price",
        )
        for number in range(37)
    ]  # fmt: skip
    return [
        root,
        query(
            "b" * 16, root.span_id, USER_SQL, at_ms=3, for_ms=4.1, trace_id=TRACE,
            code_location="shop/middleware.py:12 in __call__",
        ),
        step("c" * 16, root.span_id, at_ms=10, for_ms=1000, component="CartService", operation="price", trace_id=TRACE),
        *prices,
        step(
            "d" * 16, root.span_id, at_ms=1015, for_ms=800, layer="external", kind="client", trace_id=TRACE,
            component="payments.local", operation="POST /charge", status="failed",
            code_location="shop/payment.py:33 in charge",
        ),
        step(
            "e" * 16, root.span_id, at_ms=1820, for_ms=0.2, layer="cache", component="default", operation="set",
            trace_id=TRACE,
        ),
    ]  # fmt: skip


def checkout_errors() -> list[MadeError]:
    """What went wrong in it."""
    return [MadeError(TRACE, "d" * 16, "requests.exceptions.ReadTimeout", "payments.local: read timed out after 0.8 s")]


def store_checkout(engine: sa.Engine) -> None:
    """Store the checkout that failed."""
    store_session(
        engine,
        CHECKOUT,
        checkout_steps(),
        checkout_errors(),
        trace_id=TRACE,
        workflow_type="checkout",
        status="failed",
        duration_ms=1840,
        root_operation="POST /api/checkout/",
        user_id="17",
        user_label="anna",
        service_release="1.4.2",
        repeat_count=37,
    )


def store_session(
    engine: sa.Engine,
    correlation_id: str,
    steps: Sequence[MadeStep] = (),
    errors: Sequence[MadeError] = (),
    *,
    start_time: datetime = BEGAN,
    **columns: object,
) -> None:
    """Store a session of these columns with its steps and errors."""
    queries = sum(one.layer == "database" for one in steps)
    counts = {"step_count": len(steps), "query_count": queries, "error_count": len(errors)}
    session = {"service": "shop", "status": "completed", "correlation_id": correlation_id, "start_time": start_time}
    with engine.begin() as connection:
        connection.execute(workflow_session.insert().values(**(session | counts | columns)))
        rows = [
            asdict(one)
            | {
                "correlation_id": correlation_id,
                "statement_digest": None,
                "duration_ms": one.duration_ms,
                "metadata": json.dumps(one.metadata),
            }
            for one in steps
        ]
        if rows:
            connection.execute(trace_step.insert(), rows)
        for number, error in enumerate(errors):
            connection.execute(
                error_log.insert().values(
                    event_key=uuid5(NAMESPACE_OID, f"{correlation_id} {number}").hex,
                    correlation_id=correlation_id,
                    timestamp=start_time + timedelta(milliseconds=number),
                    layer="api",
                    fingerprint="0" * 32,
                    metadata="{}",
                    **asdict(error),
                )
            )
