"""Pipelines and SDK providers for tests, on a store given by URL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from e2edebug.policy.config import load_config
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.span_processor import SpanPipelineProcessor

NOWHERE = "mysql+pymysql://nobody@127.0.0.1:1/nothing"
"""Nothing listens there."""

RESOURCE = Resource({"service.name": "shop", "service.instance.id": "test-instance"})


@contextmanager
def pipeline_on(url: str, **settings: Any) -> Iterator[Pipeline]:
    """Give a pipeline that is shut down afterwards; metrics come at flushes only."""
    config = load_config({"flush_interval_s": 0.05, "metric_interval_s": 3600.0} | settings, environ={})
    pipeline = Pipeline(url, config, resource=RESOURCE)
    try:
        yield pipeline
    finally:
        pipeline.shutdown(0.1 if url == NOWHERE or pipeline.stats()["store_away"] else 10.0)


class HeldMapper:
    """Makes a pipeline's mapper and holds its thread there, in the middle of a batch, until it is let go."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self) -> RowMapper:
        self.is_reached.set()
        assert self.may_go_on.wait(60)
        return mapper_of(load_config({}, environ={}))


def tracer_of(pipeline: Pipeline, **options: Any) -> Any:
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False, **options)
    provider.add_span_processor(SpanPipelineProcessor(pipeline))
    return provider.get_tracer("test")


def assert_balanced(pipeline: Pipeline) -> None:
    """The invariant of every test: nothing is missing, nothing counted twice."""
    reading = pipeline.ledger.read()
    assert reading.is_balanced, reading
