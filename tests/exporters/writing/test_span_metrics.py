"""Durations of every span, in the store's own buckets, with the worst one named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode
from support.spans import START_UNIX_NS, make_span

from e2edebug.policy import attributes as names
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.span_metrics import MAX_SERIES, OTHER_COMPONENTS, SpanMetrics
from e2edebug_schema.histogram import Histogram, bucket_index

API = {names.LAYER: "api", names.COMPONENT: "CartView"}


def timed(duration_ms: float, **values: Any) -> Any:
    return make_span(end_unix_ns=START_UNIX_NS + round(duration_ms * 1e6), **({"attributes": API} | values))


def points(metrics: SpanMetrics) -> list[Any]:
    data = metrics.collect()
    return [] if data is None else list(data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points)


def test_an_interval_is_one_point_with_its_worst_span_as_exemplar() -> None:
    clock = iter([10, 25_000_000_010])
    metrics = SpanMetrics(now_unix_ns=lambda: next(clock))
    metrics.record(timed(4))
    metrics.record(
        timed(500, trace_id=7, span_id=8, attributes=API | {names.CORRELATION_ID: "order-17"}, status=StatusCode.ERROR)
    )
    metrics.record(timed(0))

    (point,) = points(metrics)

    assert point.attributes == API | {names.ERROR_COUNT: 1, names.INTERVAL_S: 25.0}
    assert (point.count, point.zero_count, point.sum, point.min, point.max) == (3, 1, 504.0, 0.0, 500.0)
    assert (point.start_time_unix_nano, point.time_unix_nano, point.scale) == (10, 25_000_000_010, 3)
    (worst,) = point.exemplars
    assert (worst.trace_id, worst.span_id, worst.value) == (7, 8, 500.0)
    assert worst.filtered_attributes == {names.CORRELATION_ID: "order-17"}


def test_what_was_collected_is_not_collected_again() -> None:
    metrics = SpanMetrics()
    metrics.record(timed(4))

    assert len(points(metrics)) == 1
    assert points(metrics) == []


@given(st.lists(st.floats(min_value=0.001, max_value=60_000), min_size=1, max_size=50))
def test_buckets_are_those_of_the_store(durations_ms: list[float]) -> None:
    metrics = SpanMetrics()
    spans = [timed(duration) for duration in durations_ms]
    for span in spans:
        metrics.record(span)

    (point,) = points(metrics)

    expected = Histogram.of((span.end_time - span.start_time) / 1e6 for span in spans)
    found = {point.positive.offset + i: n for i, n in enumerate(point.positive.bucket_counts) if n}
    assert found == dict(expected.counts)
    assert min(found) == bucket_index(point.min)


def test_spans_that_only_wrap_others_are_not_counted() -> None:
    metrics = SpanMetrics()

    metrics.record(timed(4, attributes={}))
    metrics.record(make_span(attributes=API, end_unix_ns=None))

    assert points(metrics) == []


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        (SpanKind.SERVER, {"http.request.method": "GET", "http.route": "cart/"}, ("api", "cart/")),
        (
            SpanKind.CLIENT,
            {"db.system.name": "mysql", "db.query.text": "SELECT 1 FROM shop_order"},
            ("database", "shop_order"),
        ),
        (SpanKind.CLIENT, {"db.system": "sqlite", "db.sql.table": "shop_item"}, ("database", "shop_item")),
        (
            SpanKind.CLIENT,
            {"http.method": "GET", "http.url": "https://pay.example/charge"},
            ("external", "pay.example"),
        ),
        (SpanKind.INTERNAL, API, ("api", "CartView")),
    ],
)
def test_a_duration_counts_under_the_names_of_its_step(
    kind: SpanKind, attributes: dict[str, Any], expected: tuple[str, str]
) -> None:
    from e2edebug.policy.config import load_config
    from e2edebug_exporters.configured_mapper import mapper_of
    from e2edebug_exporters.rows import RowBatch

    metrics, batch = SpanMetrics(), RowBatch()
    span = make_span(kind=kind, attributes=attributes)
    metrics.record(span)
    mapper_of(load_config(environ={})).add_span(batch, span)

    (point,) = points(metrics)

    assert (point.attributes[names.LAYER], point.attributes[names.COMPONENT]) == expected
    assert (batch.steps[0].layer, batch.steps[0].component) == expected


def test_a_flood_of_components_ends_in_one_series() -> None:
    metrics = SpanMetrics()
    for number in range(MAX_SERIES + 500):
        metrics.record(timed(4, attributes={names.LAYER: "api", names.COMPONENT: f"c{number}"}))

    found = points(metrics)

    assert len(found) == MAX_SERIES + 1
    assert found[-1].attributes[names.COMPONENT] == OTHER_COMPONENTS
    assert found[-1].count == 500


@pytest.mark.parametrize("name", ["http.response.status_code", "http.status_code"])
@pytest.mark.parametrize(("kind", "status_code", "errors"), [
    (SpanKind.SERVER, 404, 0),
    (SpanKind.SERVER, 503, 1),
    (SpanKind.CLIENT, 404, 1),
])  # fmt: skip
def test_a_request_that_its_client_got_wrong_is_no_error_of_the_server(
    name: str, kind: SpanKind, status_code: int, errors: int
) -> None:
    """As its step is judged, whose status is `completed`."""
    metrics = SpanMetrics()

    metrics.record(timed(4, kind=kind, attributes=API | {name: status_code}, status=StatusCode.ERROR))

    (point,) = points(metrics)
    assert point.attributes[names.ERROR_COUNT] == errors


def rows_of(metrics: SpanMetrics) -> dict[tuple[str, str, str], Any]:
    """The snapshots of an interval by layer, component and metric."""
    data = metrics.collect()
    assert data is not None
    batch = RowBatch()
    RowMapper().add_metrics(batch, data)
    return {(row.layer, row.component, row.metric_name): row for row in batch.snapshots}


def test_an_interval_says_how_many_operations_failed_and_how_many_there_were_a_second() -> None:
    clock = iter([START_UNIX_NS, START_UNIX_NS + 10 * 10**9])
    metrics = SpanMetrics(now_unix_ns=lambda: next(clock))
    for status in (StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET, StatusCode.UNSET):
        metrics.record(timed(4, status=status))

    rows = rows_of(metrics)

    failed, rate = rows["api", "CartView", "error_rate"], rows["api", "CartView", "throughput"]
    assert (failed.metric_value, failed.unit, failed.error_count, failed.interval_s) == (25.0, "%", 1, 10.0)
    assert (rate.metric_value, rate.unit, rate.interval_s) == (0.4, "1/s", 10.0)
    assert {row.timestamp for row in rows.values()} == {rows["api", "CartView", "response_time"].timestamp}


def test_each_request_says_how_many_statements_it_ran() -> None:
    metrics = SpanMetrics()
    view = {"attributes": API, "kind": SpanKind.SERVER}
    for trace_id, statements in ((1, 37), (2, 3), (3, 0)):
        for number in range(statements):
            metrics.record(query_span(trace_id, 100 + number))
        metrics.record(command_span(trace_id, 99))
        metrics.record(timed(50, trace_id=trace_id, span_id=1, **view))

    row = rows_of(metrics)["api", "CartView", "query_count"]

    assert (row.count, row.sum, row.min, row.max, row.unit) == (3, 40.0, 0.0, 37.0, "queries")
    assert row.trace_id == f"{1:032x}", "the request with the most statements"


def test_a_request_within_a_request_is_part_of_it() -> None:
    metrics = SpanMetrics()
    metrics.record(query_span(1, 5))
    metrics.record(timed(5, trace_id=1, span_id=2, parent=1, kind=SpanKind.SERVER))
    metrics.record(query_span(1, 6))
    metrics.record(timed(9, trace_id=1, span_id=1, kind=SpanKind.SERVER))

    row = rows_of(metrics)["api", "CartView", "query_count"]

    assert (row.count, row.sum) == (1, 2.0)


def test_statements_outside_of_requests_do_not_fill_the_memory() -> None:
    metrics = SpanMetrics()
    for trace_id in range(1, 10_001):
        metrics.record(query_span(trace_id, 1))
    metrics.count_ended()

    assert len(metrics._query_counts._by_trace) <= 4096


def query_span(trace_id: int, span_id: int) -> Any:
    attributes = {
        names.LAYER: "database", names.COMPONENT: "shop_product", "db.system.name": "mariadb",
        names.STATEMENT_DIGEST: "0" * 32, "db.query.text": "SELECT ?",
    }  # fmt: skip
    return timed(1, trace_id=trace_id, span_id=span_id, parent=1, kind=SpanKind.CLIENT, attributes=attributes)


def command_span(trace_id: int, span_id: int) -> Any:
    attributes = {names.COMPONENT: "default", names.OPERATION: "COMMIT", "db.system.name": "mariadb"}
    return timed(1, trace_id=trace_id, span_id=span_id, parent=1, kind=SpanKind.CLIENT, attributes=attributes)
