"""Histograms that the server counts are those that Python would have counted."""

from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.histogram import Histogram
from e2edebug_schema.queries.durations import durations_by, longest_of
from e2edebug_schema.tables import trace_step

# Powers of two are the upper bounds of their buckets; the rest lies within them.
VALUES = [0.0, 0.04, 0.5, 1.0, 1.1, 2.0, 3.3, 64.0, 65.0, 999.9, 1024.0, 60_000.0]


@pytest.fixture
def stored(engine: sa.Engine, rows: Any) -> sa.Engine:
    for number, value in enumerate(VALUES):
        rows.step(f"w{number}", duration_ms=value, status="failed" if value > 1000 else "completed")
    rows.step("unfinished", duration_ms=None)
    rows.step("other", duration_ms=5.0, component="CartView")
    return engine


def test_every_duration_is_in_its_bucket(stored: sa.Engine) -> None:
    with stored.connect() as connection:
        found = durations_by(connection, [trace_step.c.component], [])

    assert found[("CheckoutView",)].histogram == Histogram.of(VALUES)
    assert (found[("CheckoutView",)].count, found[("CheckoutView",)].failed) == (len(VALUES), 2)
    assert found[("CheckoutView",)].total_ms == pytest.approx(sum(VALUES))
    assert (found[("CartView",)].p95_ms, found[("CartView",)].max_ms) == (5.0, 5.0)


def test_the_longest_step_of_each_group_is_named(stored: sa.Engine) -> None:
    keys = [trace_step.c.component]
    with stored.connect() as connection:
        named = longest_of(connection, keys, [], durations_by(connection, keys, []))

    assert named == {("CheckoutView",): "w11", ("CartView",): "other"}


def test_conditions_hold_for_both(stored: sa.Engine) -> None:
    keys, short = [trace_step.c.component], [trace_step.c.duration_ms < 70]
    with stored.connect() as connection:
        found = durations_by(connection, keys, short)
        named = longest_of(connection, keys, short, found)

    assert (found[("CheckoutView",)].max_ms, named[("CheckoutView",)]) == (65.0, "w8")
