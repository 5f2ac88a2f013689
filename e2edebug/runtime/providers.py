"""OpenTelemetry's providers lead into our pipeline: those that are there are joined, missing ones are made."""

import os
from typing import Final, NamedTuple

from opentelemetry import _logs, metrics, propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider

from e2edebug.policy.config import Config
from e2edebug.runtime.sampling import build_sampling
from e2edebug_exporters.log_processor import LogPipelineProcessor
from e2edebug_exporters.metric_reader import PipelineMetricReader
from e2edebug_exporters.pipeline import Pipeline
from e2edebug_exporters.recording.provider import make_tracer_provider
from e2edebug_exporters.span_processor import SpanPipelineProcessor
from e2edebug_instrumentation.correlation.propagator import CorrelationIdPropagator

EXPORTER_NAME: Final = "e2edebug"


def build_resource(config: Config) -> Resource:
    """Return who we are: OTEL_RESOURCE_ATTRIBUTES, with the service's name and release of *config*."""
    known = {SERVICE_NAME: config.service_name}
    if config.release is not None:
        known[SERVICE_VERSION] = config.release
    return Resource.create(known)


class Connected(NamedTuple):
    """What the start-up message says of the providers."""

    kept: str
    """Which traces are kept, in words."""
    joined: list[str]
    """The signals whose provider was there before us."""


def connect(pipeline: Pipeline, config: Config, resource: Resource) -> Connected:
    """Lead spans, metrics and logs of this process into *pipeline*.

    A provider whose exporter OTEL_*_EXPORTER=e2edebug has set up stores already; it is left as it is.
    """
    joined = []
    kept = "the sampler that was there decides which traces are kept"
    if not _is_exported("OTEL_TRACES_EXPORTER"):
        tracer_provider = trace.get_tracer_provider()
        if isinstance(tracer_provider, TracerProvider):
            joined.append("traces")
        else:
            sampler, kept = build_sampling(config.traces_sampler, config.traces_sampler_arg)
            tracer_provider = make_tracer_provider(sampler, resource)
            trace.set_tracer_provider(tracer_provider)
        tracer_provider.add_span_processor(SpanPipelineProcessor(pipeline))
    if not _is_exported("OTEL_METRICS_EXPORTER"):
        meter_provider = metrics.get_meter_provider()
        if isinstance(meter_provider, MeterProvider):
            joined.append("metrics")
            meter_provider.add_metric_reader(PipelineMetricReader(pipeline))
        else:
            reader = PipelineMetricReader(pipeline)
            metrics.set_meter_provider(MeterProvider([reader], resource=resource, shutdown_on_exit=False))
    if not _is_exported("OTEL_LOGS_EXPORTER"):
        logger_provider = _logs.get_logger_provider()
        if isinstance(logger_provider, LoggerProvider):
            joined.append("logs")
        else:
            logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
            _logs.set_logger_provider(logger_provider)
        logger_provider.add_log_record_processor(LogPipelineProcessor(pipeline))
    return Connected(kept, joined)


def add_propagator() -> None:
    """Make the correlation id travel beside whatever travels already. Idempotent."""
    current = propagate.get_global_textmap()
    ours = CorrelationIdPropagator()
    if not ours.fields <= current.fields:
        propagate.set_global_textmap(CompositePropagator([current, ours]))


def _is_exported(variable: str) -> bool:
    names = [name.strip() for name in os.environ.get(variable, "").split(",")]
    return EXPORTER_NAME in names and isinstance(trace.get_tracer_provider(), TracerProvider)
