"""`OTEL_METRICS_EXPORTER=e2edebug`: metric points become performance snapshots."""

from typing import Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.direct_export import EXPORT_TIMEOUT_S, DirectExport
from e2edebug_exporters.metric_preferences import point_count, preferred_aggregation, preferred_temporality


class SQLMetricExporter(MetricExporter):
    """Writes metrics to the store, histograms as deltas at the store's one resolution.

    engine_or_url: by default the setting E2EDEBUG_DATABASE_URL. timeout_s: of one export.
    """

    def __init__(
        self,
        engine_or_url: Engine | URL | str | None = None,
        *,
        config: Config | None = None,
        timeout_s: float = EXPORT_TIMEOUT_S,
    ) -> None:
        super().__init__(preferred_temporality=preferred_temporality(), preferred_aggregation=preferred_aggregation())
        self._direct = DirectExport(engine_or_url, config=config, timeout_s=timeout_s)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = EXPORT_TIMEOUT_S * 1000, **_: Any
    ) -> MetricExportResult:
        """Write *metrics_data*; FAILURE when the store did not take it in time."""
        rows = point_count(metrics_data)
        timeout_s = min(timeout_millis / 1000, EXPORT_TIMEOUT_S)
        is_settled = not rows or self._direct.export(Kind.METRICS, [metrics_data], rows=rows, timeout_s=timeout_s)
        return MetricExportResult.SUCCESS if is_settled else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 # the SDK's signature
        """Nothing waits in an exporter that writes before it returns."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:  # noqa: ARG002 # the SDK's signature
        """Take nothing more and close the connection. The SDK's reader passes `timeout`, not `timeout_millis`."""
        self._direct.shutdown()

    def stats(self) -> dict[str, Any]:
        """Return what became of the points: emitted, stored, already there, dropped by reason, last error."""
        return self._direct.ledger.stats()
