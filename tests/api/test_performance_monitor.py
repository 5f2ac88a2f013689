"""Metrics by hand become rows, and the stored ones say what is over its limit and where it is going."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from opentelemetry import context
from opentelemetry.sdk.resources import Resource

from e2edebug import PerformanceMonitor
from e2edebug.policy import correlation_id
from e2edebug.policy.config import load_config
from e2edebug.runtime import lifecycle
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_schema.histogram import Histogram
from e2edebug_schema.store_errors import StoreUnavailable
from e2edebug_schema.tables import performance_snapshot, performance_threshold


@pytest.fixture
def store(store_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """A store that this process records into, as after init()."""
    monkeypatch.setenv("E2EDEBUG_DATABASE_URL", store_url)
    config = load_config()
    runtime = lifecycle.Runtime(config, Resource({"service.name": "shop"}), Pipeline(store_url, config), {})
    monkeypatch.setattr(lifecycle, "_runtime", runtime)
    yield engine
    runtime.pipeline.shutdown(5)


def snapshots(store: sa.Engine) -> list[sa.Row]:
    assert lifecycle.flush(10)
    query = sa.select(performance_snapshot).where(performance_snapshot.c.component != "e2edebug")
    with store.connect() as connection:
        return list(connection.execute(query.order_by(performance_snapshot.c.timestamp)))


def store_window(store: sa.Engine, *, minutes_ago: float, component: str, values: list[float], errors: int = 0) -> None:
    """Store what one process would have measured in one interval."""
    histogram = Histogram.of(values)
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    row = {
        "event_key": f"{component}{minutes_ago}".encode().hex()[:32].ljust(32, "0"),
        "correlation_id": f"worst-of-{component}",
        "timestamp": at,
        "interval_s": 60.0,
        "service": "shop",
        "service_instance": "one",
        "layer": "api",
        "component": component,
        "metric_name": "response_time",
        "metric_kind": "histogram",
        "metric_value": histogram.percentile(95),
        "unit": "ms",
        "count": len(values),
        "sum": sum(values),
        "min": min(values),
        "max": max(values),
        "error_count": errors,
        "buckets": histogram.encode(),
        "metadata": "{}",
    }
    with store.begin() as connection:
        connection.execute(sa.insert(performance_snapshot).values(row))


def test_a_metric_by_hand_is_one_row(store):
    PerformanceMonitor.record_metric(
        layer="api",
        component="ProductViewSet",
        metric_name="response_time",
        metric_value=150.0,
        correlation_id="abc",
        metadata={"cart": 3},
    )

    (row,) = snapshots(store)
    assert (row.layer, row.component, row.metric_name, row.metric_kind) == (
        "api",
        "ProductViewSet",
        "response_time",
        "point",
    )
    assert (row.metric_value, row.unit, row.correlation_id, row.service) == (150.0, "ms", "abc", "shop")
    assert json.loads(row.metadata) == {"cart": 3}


def test_equal_values_are_rows_of_their_own(store):
    for _ in range(3):
        PerformanceMonitor.record_metric("cache", "default", "hit_rate", 80)

    assert [row.metric_value for row in snapshots(store)] == [80, 80, 80]


def test_a_metric_belongs_to_the_current_workflow(store):
    token = context.attach(context.set_value(correlation_id.CONTEXT_KEY, "current"))
    PerformanceMonitor.record_metric("api", "Cart", "basket_size", 3)
    context.detach(token)

    assert snapshots(store)[0].correlation_id == "current"


@pytest.mark.parametrize("value", ["150", None, True])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"metric_value=.* of 'response_time' is not a number"):
        PerformanceMonitor.record_metric("api", "Cart", "response_time", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400], ids=["nan", "inf", "10**400"])
def test_a_number_that_no_column_takes_is_stored_as_unknown(store, value):
    PerformanceMonitor.record_metric("api", "Cart", "response_time", value)
    PerformanceMonitor.record_metric("api", "Cart", "response_time", 2)

    assert {row.metric_value for row in snapshots(store)} == {None, 2}
    assert lifecycle.stats()["dropped"] == {}


def test_what_is_over_its_limit_is_found_with_an_example(store):
    store_window(store, minutes_ago=1, component="Checkout", values=[2500.0] * 20)
    store_window(store, minutes_ago=1, component="Cart", values=[600.0] * 20)
    store_window(store, minutes_ago=1, component="Login", values=[20.0] * 20)
    store_window(store, minutes_ago=30, component="Yesterday", values=[9000.0] * 20)

    found = PerformanceMonitor.check_thresholds()

    assert [(alert["level"], alert["component"], alert["metric_name"], alert["threshold"]) for alert in found] == [
        ("critical", "Checkout", "response_time", 2000),
        ("warning", "Cart", "response_time", 500),
    ]
    assert found[0]["correlation_id"] == "worst-of-Checkout"
    assert found[0]["value"] == pytest.approx(2500, rel=0.05)


def test_the_error_rate_is_counted_over_all_requests_of_the_window(store):
    store_window(store, minutes_ago=1, component="Checkout", values=[10.0] * 90)
    store_window(store, minutes_ago=2, component="Checkout", values=[10.0] * 10, errors=7)

    (alert,) = PerformanceMonitor.check_thresholds()

    assert (alert["metric_name"], alert["level"], alert["value"]) == ("error_rate", "warning", 7.0)


def test_a_stored_threshold_of_a_component_overrides_its_layers(store):
    store_window(store, minutes_ago=1, component="Report", values=[4000.0] * 5)
    with store.begin() as connection:
        now = datetime.now(UTC)
        connection.execute(
            sa.insert(performance_threshold).values(
                metric_name="response_time", layer="api", component="Report", warning_threshold=10_000,
                critical_threshold=20_000, enabled=True, created_at=now, updated_at=now,
            )
        )  # fmt: skip

    assert PerformanceMonitor.check_thresholds() == []


@pytest.mark.parametrize(
    ("values", "direction"), [([100, 200, 300], "increasing"), ([300, 200, 100], "decreasing"), ([200, 201, 200], "stable")]
)  # fmt: skip
def test_a_trend_has_a_direction(store, values, direction):
    for hours_ago, value in zip((18, 12, 6), values, strict=True):
        store_window(store, minutes_ago=hours_ago * 60, component="Checkout", values=[float(value)] * 10)

    trend = PerformanceMonitor.analyze_trends("api", "Checkout", "response_time", hours=24)

    assert trend["direction"] == direction
    assert [round(point["value"], -1) for point in trend["data_points"]] == [round(value, -1) for value in values]
    assert trend["min"] <= trend["average"] <= trend["max"]
    assert trend["data_points"][0]["timestamp"].tzinfo is UTC


def test_no_data_is_said_to_be_no_data(store):
    nothing = {"value": None, "samples": 0, "change_pct": None}

    assert PerformanceMonitor.analyze_trends("api", "Nobody", "response_time") == {
        "direction": "no_data",
        "average": None,
        "min": None,
        "max": None,
        "data_points": [],
        "compared": dict.fromkeys(("now", "before", "yesterday", "last_week"), nothing),
        "releases": [],
        "alerts": [],
    }


def test_memory_is_recorded_at_both_ends_of_a_block(store):
    with PerformanceMonitor.track_memory_usage("import", correlation_id="abc"):
        ballast = bytearray(32 * 1024 * 1024)
    assert ballast is not None

    start, end = snapshots(store)
    assert (start.component, start.metric_name, start.unit, start.correlation_id) == (
        "import",
        "memory_usage",
        "%",
        "abc",
    )
    assert 0 < start.metric_value < end.metric_value <= 100


def test_a_store_that_gives_no_answer_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("E2EDEBUG_DATABASE_URL", "mysql+pymysql://joe:hidden@127.0.0.1:1/telemetry")

    with pytest.raises(StoreUnavailable, match="gives no answer") as raised:
        PerformanceMonitor.check_thresholds()

    assert "hidden" not in str(raised.value)
