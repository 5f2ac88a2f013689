"""Durations of every span, in the store's own buckets, with the worst one named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode
from support.spans import START_UNIX_NS, make_span

from e2edebug.policy import attributes as names
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
