"""`OTEL_TRACES_EXPORTER=e2edebug`: spans from any OpenTelemetry set-up become trace steps."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.direct_export import EXPORT_TIMEOUT_S, DirectExport


class SQLSpanExporter(SpanExporter):
    """Writes spans to the store. Use it with a BatchSpanProcessor.

    engine_or_url: by default the setting E2EDEBUG_DATABASE_URL. timeout_s: of one export. The processor forgets a batch
    that failed; `init()` sets up a pipeline instead, which keeps it.
    """

    def __init__(
        self,
        engine_or_url: Engine | URL | str | None = None,
        *,
        config: Config | None = None,
        timeout_s: float = EXPORT_TIMEOUT_S,
    ) -> None:
        self._direct = DirectExport(engine_or_url, config=config, timeout_s=timeout_s)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write *spans*; FAILURE when the store did not take them in time and in a bounded number of tries."""
        is_settled = self._direct.export(Kind.SPAN, spans, rows=len(spans))
        return SpanExportResult.SUCCESS if is_settled else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 # the SDK's signature
        """Nothing waits in an exporter that writes before it returns."""
        return True

    def shutdown(self) -> None:
        """Take nothing more and close the connection."""
        self._direct.shutdown()

    def stats(self) -> dict[str, Any]:
        """Return what became of the spans: emitted, stored, already there, dropped by reason, last error."""
        return self._direct.ledger.stats()
