"""Advice from recorded requests: what the evidence shows is said, and nothing else."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alerts.stored_metrics import query, step, store_error, store_steps

from e2edebug.alerts.recommendations import (
    cache_misses,
    coinciding_errors,
    dominant_statement,
    external_host,
    lock_waits,
    new_release,
    repeated_statement,
)
from e2edebug.alerts.recommendations.evidence import Evidence
from e2edebug.alerts.recommendations.registry import MOST_SENTENCES, RULES, recommend
from e2edebug.alerts.states import Target
from e2edebug_schema.queries.alert_evidence import EvidenceStep, SeenRelease, errors_near, steps_of_examples

CHECKOUT = Target("api", "response_time", "Checkout")
REVIEWS = "SELECT * FROM shop_review WHERE product_id = ?"


def recorded(noon: datetime, *rows: dict[str, Any], **facts: Any) -> Evidence:
    """The evidence that these steps are."""
    names = [field.name for field in fields(EvidenceStep)]
    steps = tuple(
        EvidenceStep(**{name: row[name] for name in names} | {"metadata": row.get("facts", {})}) for row in rows
    )
    return Evidence(target=CHECKOUT, started_at=noon, steps=steps, **facts)


def test_a_repeated_statement_is_named_with_its_line(noon: datetime) -> None:
    evidence = recorded(noon, step("one", noon, 700.0), *(query("one", noon, 12.0, REVIEWS) for _ in range(48)))

    assert repeated_statement.advise(evidence) == (
        f"One request runs `{REVIEWS}` 48 times at shop/views.py:31 (576 ms together): an N+1. Fetch these rows at once, "
        "with select_related() or prefetch_related()."
    )


def test_four_runs_of_a_statement_are_no_repetition(noon: datetime) -> None:
    assert repeated_statement.advise(recorded(noon, *(query("one", noon, 12.0, REVIEWS) for _ in range(4)))) is None


def test_a_statement_that_takes_most_of_the_request_is_named(noon: datetime) -> None:
    slow = query("one", noon, 1800.0, "SELECT * FROM shop_product WHERE name LIKE ?", code_location="shop/search.py:20")

    said = dominant_statement.advise(recorded(noon, step("one", noon, 2000.0), slow))

    assert said is not None
    assert said.startswith(
        "One statement takes 90% of the request: `SELECT * FROM shop_product WHERE name LIKE ?` at shop/search.py:20, 1.8 s."
    )


def test_a_statement_that_takes_little_is_not_named(noon: datetime) -> None:
    assert (
        dominant_statement.advise(recorded(noon, step("one", noon, 2000.0), query("one", noon, 300.0, REVIEWS))) is None
    )


def test_a_host_that_everybody_waits_for_is_named(noon: datetime) -> None:
    call = step("one", noon, 2800.0, layer="external", component="bank.example", kind="client")

    said = external_host.advise(recorded(noon, step("one", noon, 3000.0), call))

    assert said is not None
    assert said.startswith("The request waits 2.8 s (93%) for bank.example.")


def test_a_quick_host_is_not_named(noon: datetime) -> None:
    call = step("one", noon, 100.0, layer="external", component="bank.example", kind="client")

    assert external_host.advise(recorded(noon, step("one", noon, 3000.0), call)) is None


def test_a_host_that_fails_is_named_however_quick(noon: datetime) -> None:
    call = step("one", noon, 10.0, layer="external", component="bank.example", kind="client", status="failed")

    said = external_host.advise(recorded(noon, step("one", noon, 3000.0), call))

    assert said is not None
    assert "1 of 1 calls fail" in said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("(1205, 'Lock wait timeout exceeded; try restarting transaction')", "waited for a row lock"),
        ("(1213, 'Deadlock found when trying to get lock')", "was ended by a deadlock"),
        ("database is locked", "found the SQLite file locked"),
    ],
)
def test_a_statement_that_waited_for_a_lock_is_named(noon: datetime, message: str, said: str) -> None:
    waiting = query("one", noon, 50.0, "UPDATE shop_stock SET held = ?", status="failed", status_message=message)

    text = lock_waits.advise(recorded(noon, waiting))

    assert text is not None
    assert said in text
    assert "`UPDATE shop_stock SET held = ?`" in text


def test_keys_that_are_missed_are_named(noon: datetime) -> None:
    def lookup(key: str, hit: int) -> dict[str, Any]:
        return step("one", noon, 1.0, layer="cache", component="default", kind="client") | {
            "facts": {"cache.key": key, "cache.hits": hit, "cache.misses": 1 - hit}
        }

    said = cache_misses.advise(recorded(noon, *(lookup("product:*", 0) for _ in range(8)), lookup("user:*", 1)))

    assert said is not None
    assert said.startswith("The cache misses 8 of 9 look-ups of these requests, most often `product:*` (8 times).")
    assert cache_misses.advise(recorded(noon, *(lookup("user:*", 1) for _ in range(8)), lookup("product:*", 0))) is None


def test_a_version_that_was_new_is_named(noon: datetime) -> None:
    seen = SeenRelease(service="shop", service_release="2.1.0", first_seen=noon - timedelta(minutes=4), last_seen=noon)

    assert (new_release.advise(recorded(noon, releases=(seen,))) or "").startswith(
        "It began 4 minutes after version 2.1.0 of shop was first seen."
    )
    old = SeenRelease(service="shop", service_release="2.0.0", first_seen=noon - timedelta(hours=4), last_seen=noon)
    assert new_release.advise(recorded(noon, releases=(old,))) is None


def test_errors_of_the_same_time_and_place_are_named(engine: sa.Engine, noon: datetime) -> None:
    for _ in range(3):
        store_error(engine, noon - timedelta(minutes=1))
    store_error(engine, noon - timedelta(minutes=1), fingerprint="0" * 32, error_type="KeyError")
    store_error(engine, noon - timedelta(hours=2), fingerprint="0" * 32, error_type="KeyError")
    errors = errors_near(engine, [("api", "Checkout")], (), since=noon - timedelta(minutes=5), until=noon)

    said = coinciding_errors.advise(recorded(noon, errors=tuple(errors)))

    assert said == (
        "ValueError happened 3 times in Checkout (api) meanwhile: no such cart. `e2edebug show failing --stack` shows where."
    )


def test_no_evidence_is_no_advice(noon: datetime) -> None:
    assert recommend(recorded(noon)) is None
    assert [rule(recorded(noon)) for rule in RULES] == [None] * len(RULES)


def test_no_more_is_said_than_is_read(noon: datetime) -> None:
    assert (recommend(recorded(noon), tuple([lambda _: "so"] * 9)) or "").count("so") == MOST_SENTENCES


def test_the_steps_of_examples_are_read_by_their_ids(engine: sa.Engine, noon: datetime) -> None:
    store_steps(engine, step("one", noon, 10.0), step("two", noon, 10.0), step("one", noon - timedelta(days=3), 10.0))

    assert [one.correlation_id for one in steps_of_examples(engine, ["one"], now=noon)] == ["one"]
