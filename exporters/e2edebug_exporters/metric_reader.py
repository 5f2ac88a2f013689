"""The SDK's metrics reach the pipeline: read by its thread, so that no second thread exists and no lock survives a fork.

The SDK's own periodic reader keeps its export lock over a fork and then never exports again in the child.
"""

from typing import Any

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from e2edebug_exporters.metric_preferences import preferred_aggregation, preferred_temporality
from e2edebug_exporters.pipeline import Pipeline


class PipelineMetricReader(MetricReader):
    """Collects when the pipeline asks: at each metric interval, at a flush, before a fork, at the end."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(preferred_temporality=preferred_temporality(), preferred_aggregation=preferred_aggregation())
        self._pipeline = pipeline
        self._is_shut_down = False
        pipeline.add_metric_source(self._read)

    def _read(self) -> MetricsData | None:
        if not self._is_shut_down and self._collect is not None:  # None until a MeterProvider has taken it
            self.collect()
        return None

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> None:  # noqa: ARG002 # the SDK's signature
        self._pipeline.put_metrics(metrics_data)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and write; True once everything emitted before is accounted for."""
        return self._pipeline.flush(timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:  # noqa: ARG002 # the SDK's signature
        """Collect a last time and write."""
        if not self._is_shut_down:
            self._read()
            self._is_shut_down = True
            self._pipeline.flush_at_exit()
