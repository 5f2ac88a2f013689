"""Metric data points become snapshots: durations in ms at the store's scale, with a workflow behind the worst one."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Exemplar, MeterProvider
from opentelemetry.sdk.metrics._internal.point import Buckets
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    DataT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from support.spans import RESOURCE, START_UNIX_NS

from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch, SnapshotRow
from e2edebug_schema.histogram import Histogram as StoredHistogram
from e2edebug_schema.histogram import bucket_index

END_UNIX_NS = START_UNIX_NS + 60 * 10**9
DELTA = AggregationTemporality.DELTA
CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_of(name: str, data: DataT, unit: str = "") -> MetricsData:
    scope = ScopeMetrics(InstrumentationScope("test"), [Metric(name, "", unit, data)], "")
    return MetricsData([ResourceMetrics(RESOURCE, [scope], "")])


def snapshot_of(name: str, data: DataT, unit: str = "") -> SnapshotRow:
    batch = RowBatch()
    assert RowMapper().add_metrics(batch, metrics_of(name, data, unit)) == 0
    assert len(batch.snapshots) == 1
    return batch.snapshots[0]


def number(value: float, attributes: dict[str, Any] | None = None, start: int = START_UNIX_NS) -> NumberDataPoint:
    return NumberDataPoint(attributes or {}, start, END_UNIX_NS, value)


def exponential(
    values: list[float],
    *,
    scale: int = 3,
    attributes: dict[str, Any] | None = None,
    exemplars: tuple[Exemplar, ...] = (),
) -> ExponentialHistogram:
    """Build what the SDK would: bucket i holds (base**i, base**(i+1)] with base = 2 ** (2 ** -scale)."""
    counts: dict[int, int] = {}
    for value in values:
        index = bucket_index(value, scale) if scale >= 0 else bucket_index(value, 0) >> -scale
        counts[index] = counts.get(index, 0) + 1
    first = min(counts, default=0)
    point = ExponentialHistogramDataPoint(
        attributes or {},
        START_UNIX_NS,
        END_UNIX_NS,
        len(values),
        sum(values),
        scale,
        0,
        Buckets(first, [counts.get(index, 0) for index in range(first, max(counts, default=-1) + 1)]),
        Buckets(0, []),
        0,
        min(values, default=math.inf),
        max(values, default=-math.inf),
        exemplars,
    )
    return ExponentialHistogram([point], DELTA)


def test_a_histogram_of_durations_is_a_whole_row() -> None:
    slow = Exemplar({"correlation.id": "slow-1"}, 400.0, END_UNIX_NS, 7, 0xABC)
    fast = Exemplar({}, 3.0, END_UNIX_NS, 8, 0xDEF)
    attributes = {
        "e2edebug.layer": "api",
        "e2edebug.component": "ProductViewSet",
        "e2edebug.error_count": 2,
        "e2edebug.interval_s": 59.5,
        "release": "a",
    }

    row = snapshot_of(
        "response_time", exponential([3.0, 5.0, 400.0], attributes=attributes, exemplars=(fast, slow)), "ms"
    )

    stored = StoredHistogram.of([3.0, 5.0, 400.0])
    assert row._replace(event_key="") == SnapshotRow(
        event_key="",
        correlation_id="slow-1",
        trace_id=f"{0xABC:032x}",
        timestamp="2026-09-21 14:13:20.123456",
        interval_s=59.5,
        service="shop",
        service_instance="test-instance",
        layer="api",
        component="ProductViewSet",
        metric_name="response_time",
        metric_kind="histogram",
        metric_value=stored.percentile(95),
        unit="ms",
        count=3,
        sum=408.0,
        min=3.0,
        max=400.0,
        p50=stored.percentile(50),
        p95=stored.percentile(95),
        p99=stored.percentile(99),
        error_count=2,
        buckets=stored.encode(),
        threshold_warning=None,
        threshold_critical=None,
        metadata='{"release":"a"}',
    )
    assert len(row.event_key) == 32


def test_an_exemplar_without_a_correlation_id_names_its_trace() -> None:
    exemplar = Exemplar(None, 1.0, END_UNIX_NS, 7, 0x4BF92F3577B34DA6A3CE929D0E0E4736)

    row = snapshot_of("response_time", exponential([1.0], exemplars=(exemplar,)))

    assert row.correlation_id == "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"


@pytest.mark.parametrize(
    ("name", "unit", "attributes", "expected"),
    [
        ("http.server.duration", "ms", {"http.route": "x/"}, ("response_time", "ms", "api", "x/", 200.0)),
        ("http.server.request.duration", "s", {"http.route": "x/"}, ("response_time", "ms", "api", "x/", 200_000.0)),
        (
            "http.client.request.duration",
            "s",
            {"server.address": "pay"},
            ("response_time", "ms", "external", "pay", 2e5),
        ),
        (
            "db.client.operation.duration",
            "s",
            {"db.collection.name": "t"},
            ("response_time", "ms", "database", "t", 2e5),
        ),
        (
            "shop.basket.value",
            "EUR",
            {"e2edebug.component": "Cart"},
            ("shop.basket.value", "EUR", "system", "Cart", 200),
        ),
    ],
)
def test_well_known_durations_are_response_times_in_ms(
    name: str, unit: str, attributes: dict[str, Any], expected: tuple[object, ...]
) -> None:
    row = snapshot_of(name, exponential([200.0], attributes=attributes), unit)

    assert (row.metric_name, row.unit, row.layer, row.component, row.max) == expected
    assert row.p95 == pytest.approx(expected[4])


def test_a_total_of_an_interval_is_a_sum() -> None:
    row = snapshot_of("orders", Sum([number(7)], DELTA, is_monotonic=True), "1")

    assert (row.metric_kind, row.metric_value, row.interval_s, row.timestamp) == (
        "sum",
        7.0,
        60.0,
        "2026-09-21 14:13:20.123456",
    )


def test_a_total_since_the_start_of_the_process_is_a_sum_at_its_time() -> None:
    row = snapshot_of("orders", Sum([number(7)], CUMULATIVE, is_monotonic=True), "1")

    assert (row.metric_kind, row.interval_s, row.timestamp) == ("sum", 0.0, "2026-09-21 14:14:20.123456")


def test_a_number_that_goes_up_and_down_is_a_gauge() -> None:
    row = snapshot_of("http.server.active_requests", Sum([number(7)], CUMULATIVE, is_monotonic=False))

    assert (row.metric_kind, row.layer) == ("gauge", "api")


def test_a_recorded_point_keeps_its_own_id_workflow_thresholds_and_metadata() -> None:
    attributes = {
        "e2edebug.layer": "system",
        "e2edebug.component": "worker",
        "e2edebug.point": "a" * 32,
        "correlation.id": "job-1",
        "trace_id": f"{5:032x}",
        "e2edebug.threshold.warning": 80.0,
        "e2edebug.threshold.critical": 95,
        "e2edebug.metadata": {"why": "test", "token": "x"},
    }

    row = snapshot_of("memory_usage", Gauge([number(81.5, attributes)]), "%")

    assert (row.metric_kind, row.metric_value, row.count, row.min, row.max) == ("point", 81.5, 1, 81.5, 81.5)
    assert (row.correlation_id, row.trace_id) == ("job-1", f"{5:032x}")
    assert (row.threshold_warning, row.threshold_critical) == (80.0, 95.0)
    assert row.metadata == '{"why":"test","token":"[redacted]"}'


def key_of(attributes: dict[str, Any], *, name: str = "memory_usage", start: int = START_UNIX_NS) -> str:
    return snapshot_of(name, Sum([number(1, attributes, start)], DELTA, is_monotonic=True)).event_key


def test_the_key_is_the_same_for_the_same_series_and_interval_in_any_order_of_attributes() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "other",
    [
        {"attributes": {"a": 2}},
        {"attributes": {"a": 1, "e2edebug.point": "x"}},
        {"attributes": {"a": 1, "e2edebug.component": "x"}},
        {"attributes": {"a": 1, "e2edebug.layer": "api"}},
        {"attributes": {"a": 1}, "name": "cpu_usage"},
        {"attributes": {"a": 1}, "start": START_UNIX_NS + 1},
    ],
    ids=str,
)
def test_another_series_or_interval_has_another_key(other: dict[str, Any]) -> None:
    assert key_of({"a": 1}) != key_of(**other)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_reading_that_is_no_number_is_null(value: float) -> None:
    row = snapshot_of("cpu_usage", Gauge([number(value)]))

    assert (row.metric_value, row.sum, row.min, row.max) == (None, None, None, None)


def explicit(values: list[float], bounds: list[float]) -> Histogram:
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    point = HistogramDataPoint(
        {}, START_UNIX_NS, END_UNIX_NS, len(values), sum(values), counts, bounds, min(values), max(values)
    )
    return Histogram([point], DELTA)


def test_explicit_bounds_are_spread_over_what_they_cover() -> None:
    values = [float(value) for value in range(1, 1001)]

    row = snapshot_of("x", explicit(values, [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000]))

    assert (row.count, row.min, row.max) == (1000, 1.0, 1000.0)
    assert row.p50 == pytest.approx(500, rel=0.1)
    assert row.p95 == pytest.approx(950, rel=0.1)


def test_a_histogram_without_bounds_or_range_still_counts() -> None:
    point = HistogramDataPoint({}, START_UNIX_NS, END_UNIX_NS, 5, 10.0, [5], [], math.inf, -math.inf)

    row = snapshot_of("x", Histogram([point], DELTA))

    assert (row.count, row.min, row.max, row.sum) == (5, None, None, 10.0)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(0.04, 60_000), min_size=1, max_size=60),
    scale=st.integers(-2, 7),
    unit=st.sampled_from([("ms", 1.0), ("s", 1000.0)]),
)
def test_any_scale_keeps_every_value_and_the_percentiles_within_a_bucket(
    values: list[float], scale: int, unit: tuple[str, float]
) -> None:
    name, factor = unit

    row = snapshot_of("response_time", exponential(values, scale=scale), name)

    assert row.buckets is not None
    stored = StoredHistogram.decode(row.buckets)
    assert (row.count, stored.count, stored.scale) == (len(values), len(values), 3)
    assert row.p50 is not None
    assert row.p99 is not None
    assert row.min is not None
    assert row.max is not None
    assert row.min <= row.p50 <= row.p99 <= row.max
    exact = sorted(values)[math.ceil(len(values) * 0.5) - 1] * factor
    width = 2.0 ** (2.0 ** -min(scale, 3)) * 2.0 ** (2.0**-3)
    assert exact / width <= row.p50 <= exact * width


def test_what_the_sdk_itself_aggregates_is_understood() -> None:
    reader = InMemoryMetricReader()
    view = View(
        instrument_name="*duration", aggregation=ExponentialBucketHistogramAggregation(max_size=160, max_scale=20)
    )
    provider = MeterProvider([reader], resource=RESOURCE, views=[view])
    meter = provider.get_meter("test")
    durations = meter.create_histogram("http.server.request.duration", unit="s")
    sizes = meter.create_histogram("http.server.request.body.size", unit="By")
    orders = meter.create_counter("orders")
    for value in (0.010, 0.020, 0.400):
        durations.record(value, {"http.route": "x/"})
        sizes.record(value * 1000)
        orders.add(1)
    batch = RowBatch()
    data = reader.get_metrics_data()
    assert data is not None

    RowMapper().add_metrics(batch, data)

    rows = {row.metric_name: row for row in batch.snapshots}
    assert {name: (row.metric_kind, row.count) for name, row in rows.items()} == {
        "response_time": ("histogram", 3),
        "http.server.request.body.size": ("histogram", 3),
        "orders": ("sum", 1),
    }
    assert rows["response_time"].max == pytest.approx(400)
    assert rows["response_time"].p50 == pytest.approx(20, rel=0.1)
