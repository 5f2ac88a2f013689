"""e2edebug's pipeline, with a store that nobody listens at, and nothing to be put on disk."""

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from e2edebug.policy.config import load_config
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor

TITLE = "e2edebug"
WHO = "ours"


def begin(items: int) -> Any:
    config = load_config({"durability": "memory", "queue_max_items": items}, environ={})
    pipeline = Pipeline("mysql+pymysql://nobody@127.0.0.1:9/nothing", config)
    provider = make_tracer_provider(ALWAYS_ON, Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SpanPipelineProcessor(pipeline))
    return provider.get_tracer("benchmark"), lambda: pipeline.stats()["queued"]
