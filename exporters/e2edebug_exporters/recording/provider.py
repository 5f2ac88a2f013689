"""The tracer provider of a process that had none."""

import os
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanLimits, Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import DEFAULT_TRACE_STATE, SpanContext, TraceFlags
from opentelemetry.util.types import Attributes

from e2edebug_exporters.recording.origin import SpanOrigin, SpanProcessors
from e2edebug_exporters.recording.span import RecordingSpan
from e2edebug_exporters.recording.tracer import RecordingTracer


def make_tracer_provider(sampler: Sampler, resource: Resource) -> TracerProvider:
    """Return a provider whose spans are RecordingSpans, or the SDK's own where those could not stand in for its spans.

    It does not shut down at exit: what other exit handlers record would be lost, and the pipeline has its own handler.
    """
    if _can_stand_in():
        return RecordingTracerProvider(sampler, resource)
    return TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)


class RecordingTracerProvider(TracerProvider):
    """The SDK's provider, with cheaper spans."""

    def __init__(self, sampler: Sampler, resource: Resource) -> None:
        self._recording_limits = SpanLimits()
        self._recording_processors = SpanProcessors()
        self._recording_tracers: dict[InstrumentationScope, RecordingTracer] = {}
        super().__init__(
            sampler=sampler,
            resource=resource,
            shutdown_on_exit=False,
            active_span_processor=self._recording_processors,
            span_limits=self._recording_limits,
        )

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """Return the tracer of an instrumentation scope; one that does nothing under OTEL_SDK_DISABLED."""
        scope = InstrumentationScope(
            instrumenting_module_name or "", instrumenting_library_version or "", schema_url, attributes
        )
        known = self._recording_tracers.get(scope)
        if known is not None:
            return known
        stock = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if type(stock) is not Tracer or not _is_as_expected(stock):
            return stock
        origin = SpanOrigin(scope, stock.instrumentation_info, self._recording_limits, self._recording_processors)
        return self._recording_tracers.setdefault(scope, RecordingTracer(stock, origin))


def _can_stand_in() -> bool:
    """Say whether the installed SDK is one whose spans and tracers do nothing that ours do not know of.

    Its public names tell, and the shape of a span context. Metrics about spans, off by default, are counted inside of
    the SDK's tracer.
    """
    has_new_names = any(name not in vars(RecordingSpan) for name in dir(Span) if not name.startswith("_"))
    counts_spans = os.environ.get(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED, "").strip().lower() == "true"
    expected = (1, 2, False, TraceFlags(3), DEFAULT_TRACE_STATE, True)
    return not has_new_names and not counts_spans and tuple(SpanContext(*expected[:5])) == expected


_NEEDED_OF_A_TRACER: Final = ("sampler", "resource", "id_generator", "instrumentation_info", "_is_enabled")


def _is_as_expected(tracer: Tracer) -> bool:
    return all(hasattr(tracer, name) for name in _NEEDED_OF_A_TRACER)
