"""Which thresholds hold, and what a value means against them."""

from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from e2edebug_schema.queries.thresholds import threshold_for, thresholds
from e2edebug_schema.tables import performance_threshold
from e2edebug_schema.thresholds import DEFAULT_THRESHOLDS, Threshold


def store(engine: sa.Engine, now: datetime, **values: Any) -> None:
    defaults = {
        "layer": "api", "metric_name": "response_time", "warning_threshold": 50.0, "critical_threshold": 90.0,
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(performance_threshold.insert(), defaults | values)


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert [
        (default.layer, default.metric_name, default.warning, default.critical) for default in DEFAULT_THRESHOLDS
    ] == [
        ("api", "response_time", 500, 2000),
        ("database", "response_time", 100, 500),
        ("frontend", "response_time", 200, 1000),
        ("system", "memory_usage", 80, 95),
        ("system", "cpu_usage", 70, 90),
        ("api", "error_rate", 5, 10),
        ("cache", "hit_rate", 80, 60),
    ]


def test_an_empty_store_has_the_defaults(engine: sa.Engine) -> None:
    held = thresholds(engine)

    assert set(held) == set(DEFAULT_THRESHOLDS)


def test_a_stored_threshold_takes_the_place_of_its_default(engine: sa.Engine, noon: datetime) -> None:
    store(engine, noon, aggregation="max", window_s=60, pending_s=120, recovery_margin_pct=5.0)

    held = thresholds(engine)

    assert len(held) == len(DEFAULT_THRESHOLDS)
    assert threshold_for(held, layer="api", metric_name="response_time", component="CartView") == Threshold(
        layer="api", metric_name="response_time", warning=50.0, critical=90.0, aggregation="max", window_s=60,
        pending_s=120, recovery_margin_pct=5.0, min_samples=5,
    )  # fmt: skip


def test_a_component_of_its_own_threshold_is_not_judged_by_its_layers(engine: sa.Engine, noon: datetime) -> None:
    store(engine, noon, component="CartView")

    held = thresholds(engine)

    def warning(component: str) -> float | None:
        found = threshold_for(held, layer="api", metric_name="response_time", component=component)
        return found.warning if found else None

    assert (warning("CartView"), warning("OrderView")) == (50.0, 500)


@pytest.mark.parametrize("component", ["", "CartView"])
def test_a_threshold_that_is_switched_off_judges_nothing(engine: sa.Engine, noon: datetime, component: str) -> None:
    store(engine, noon, component=component, enabled=False)

    held = thresholds(engine)

    assert threshold_for(held, layer="api", metric_name="response_time", component="CartView") is None


def test_a_metric_without_a_threshold_is_not_judged(engine: sa.Engine) -> None:
    assert threshold_for(thresholds(engine), layer="external", metric_name="response_time", component="") is None


@pytest.mark.parametrize(
    ("warning", "critical", "levels"),
    [
        (500, 2000, {499.9: None, 500: "warning", 1999: "warning", 2000: "critical"}),
        (80, 60, {80.1: None, 80: "warning", 60.1: "warning", 60: "critical", 0: "critical"}),
    ],
)
def test_the_direction_of_a_threshold_is_read_from_its_pair(
    warning: float, critical: float, levels: dict[float, str | None]
) -> None:
    threshold = Threshold(layer="cache", metric_name="hit_rate", warning=warning, critical=critical)

    assert {value: threshold.level_of(value) for value in levels} == levels
