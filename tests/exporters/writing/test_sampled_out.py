"""What stays of traces that the sampler does not keep: complete durations, and every error."""

from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from e2edebug.policy import attributes as names
from e2edebug.runtime.sampling import build_sampling
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from e2edebug_instrumentation.database.database_target import database_target
from e2edebug_instrumentation.database.query_span import QueryRecorder

from .pipelines import RESOURCE, assert_balanced, pipeline_on
from .rows_by_hand import count

SAMPLERS = [("traceidratio", "0"), ("parentbased_traceidratio", "0"), ("always_off", None), ("parentbased_always_off", None)]  # fmt: skip

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


def provider_of(pipeline: Pipeline, sampler: str, argument: str | None, *, of_the_sdk: bool = False) -> TracerProvider:
    chosen = build_sampling(sampler, argument).sampler
    provider = (
        TracerProvider(sampler=chosen, resource=RESOURCE, shutdown_on_exit=False)
        if of_the_sdk
        else make_tracer_provider(chosen, RESOURCE)
    )
    provider.add_span_processor(SpanPipelineProcessor(pipeline))
    return provider


@pytest.mark.parametrize("of_the_sdk", [False, True])
@pytest.mark.parametrize(("sampler", "argument"), SAMPLERS)
def test_durations_of_queries_that_are_not_kept_count_where_those_of_kept_ones_do(
    store_url: str, engine: sa.Engine, sampler: str, argument: str | None, of_the_sdk: bool
) -> None:
    with pipeline_on(store_url) as pipeline:
        provider = provider_of(pipeline, sampler, argument, of_the_sdk=of_the_sdk)
        target = database_target(system="mysql", namespace="shop")
        query = QueryRecorder(tracer_provider=provider).begin_query(target, "SELECT * FROM shop_product WHERE id = 7")
        assert query is not None
        query.succeed(1)

        assert pipeline.flush(20)

        assert count(engine, "debugging_trace_step") == 0
        durations = "metric_name = 'response_time'"
        assert count(engine, "debugging_performance_snapshot", durations) == 1
        where = f"{durations} AND layer = 'database' AND component = 'shop_product'"
        assert count(engine, "debugging_performance_snapshot", where) == 1


def test_the_example_of_a_duration_is_a_trace_that_is_stored(store_url: str, engine: sa.Engine) -> None:
    """The longest of all is the maximum; that nobody can look at it helps nobody."""
    with pipeline_on(store_url) as pipeline:
        of_cart = {names.LAYER: "api", names.COMPONENT: "CartView"}
        kept = provider_of(pipeline, "always_on", None).get_tracer("test")
        left_out = provider_of(pipeline, "always_off", None).get_tracer("test")
        for tracer, end_ns in ((kept, 5_000_000), (kept, 9_000_000), (left_out, 80_000_000)):
            tracer.start_span("GET", attributes=of_cart, start_time=1_000_000).end(end_ns)
        only_left_out = left_out.start_span("GET", attributes=of_cart | {names.COMPONENT: "Other"}, start_time=1)
        only_left_out.end(2_000_000)

        assert pipeline.flush(20)

        with engine.connect() as connection:
            found = connection.execute(
                sa.text(
                    "SELECT snapshot.component, snapshot.max, step.duration_ms FROM debugging_performance_snapshot "
                    "snapshot LEFT JOIN debugging_trace_step step ON step.trace_id = snapshot.trace_id "
                    "WHERE metric_name = 'response_time' ORDER BY snapshot.component"
                )
            ).all()
        assert [tuple(row) for row in found] == [("CartView", 79.0, 8.0), ("Other", pytest.approx(2.0), None)]


def test_a_span_that_is_not_kept_says_all_that_it_was_begun_with(store_url: str) -> None:
    started = {names.LAYER: "api", names.COMPONENT: "CartView", names.OPERATION: "list"}
    with pipeline_on(store_url) as pipeline:
        tracer = provider_of(pipeline, "traceidratio", "0").get_tracer("test")

        span: Any = tracer.start_span("work", attributes=started)

        assert dict(span.attributes) == started
        assert not span.get_span_context().trace_flags.sampled
        span.end()


@pytest.mark.parametrize(("sampler", "argument"), SAMPLERS)
def test_an_error_is_stored_with_its_step_also_when_its_trace_is_not_kept(
    store_url: str, engine: sa.Engine, sampler: str, argument: str | None
) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = provider_of(pipeline, sampler, argument).get_tracer("test")
        with tracer.start_as_current_span("fine"):
            pass
        with pytest.raises(KeyError), tracer.start_as_current_span("broken"):
            raise KeyError("price")

        assert pipeline.flush(20)

        assert (
            count(engine, "debugging_error_log", "error_type = 'KeyError'") == count(engine, "debugging_error_log") == 1
        )
        assert count(engine, "debugging_trace_step", "operation = 'broken' AND status = 'failed'") == 1
        assert count(engine, "debugging_trace_step") == 1
        assert_balanced(pipeline)


def test_a_handled_exception_and_a_failure_without_one_are_kept_too(store_url: str, engine: sa.Engine) -> None:
    with pipeline_on(store_url) as pipeline:
        tracer = provider_of(pipeline, "always_off", None).get_tracer("test")
        handled = tracer.start_span("handled", kind=SpanKind.INTERNAL)
        handled.record_exception(ValueError("no"))
        handled.end()
        failed = tracer.start_span("failed")
        failed.set_status(StatusCode.ERROR, "exit code 3")
        failed.end()
        noted = tracer.start_span("noted")
        noted.add_event("cart loaded")
        noted.end()

        assert pipeline.flush(20)

        assert count(engine, "debugging_trace_step", "operation IN ('handled', 'failed')") == 2
        assert count(engine, "debugging_trace_step") == 2
