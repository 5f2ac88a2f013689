"""Somebody sets the system's clock while a request is under way."""

from unittest import mock

import pytest
import sqlalchemy as sa
from exporters.writing.pipelines import RESOURCE, pipeline_on
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor

HOUR_NS = 3_600_000_000_000
SPAN_MODULE = "e2edebug_exporters.recording.span"


@pytest.mark.fault(34)
@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS], ids=["forwards", "backwards"])
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_jump_of_the_clock_changes_no_duration(jump_ns: int, store_url: str, engine: sa.Engine) -> None:
    wall_ns, monotonic_ns = 1_790_000_000_000_000_000, 5_000_000_000
    with pipeline_on(store_url) as pipeline:
        provider = make_tracer_provider(ALWAYS_ON, RESOURCE)
        provider.add_span_processor(SpanPipelineProcessor(pipeline))
        tracer = provider.get_tracer("test")

        with mock.patch(f"{SPAN_MODULE}.time_ns", return_value=wall_ns):
            with mock.patch(f"{SPAN_MODULE}.perf_counter_ns", return_value=monotonic_ns):
                span = tracer.start_span(
                    "GET /cart", attributes={"e2edebug.layer": "api", "e2edebug.component": "Cart"}
                )
            wall_ns += jump_ns
            with mock.patch(f"{SPAN_MODULE}.perf_counter_ns", return_value=monotonic_ns + 20_000_000):
                span.end()
        assert pipeline.flush(30)

    with engine.connect() as connection:
        (step,) = connection.execute(sa.text("SELECT duration_ms FROM debugging_trace_step")).scalars()
        (longest,) = connection.execute(
            sa.text("SELECT max FROM debugging_performance_snapshot WHERE metric_name = 'response_time'")
        ).scalars()
    assert (step, longest) == (20.0, 20.0)
