"""`OTEL_LOGS_EXPORTER=e2edebug`: log records that tell of an error become error rows."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from sqlalchemy import URL, Engine

from e2edebug.policy.config import Config
from e2edebug_exporters.bounded_queue import Kind
from e2edebug_exporters.direct_export import EXPORT_TIMEOUT_S, DirectExport
from e2edebug_exporters.log_selection import tells_of_error


class SQLLogRecordExporter(LogRecordExporter):
    """Writes errors told by log records. Use it with a BatchLogRecordProcessor.

    engine_or_url: by default the setting E2EDEBUG_DATABASE_URL. timeout_s: of one export.
    """

    def __init__(
        self,
        engine_or_url: Engine | URL | str | None = None,
        *,
        config: Config | None = None,
        timeout_s: float = EXPORT_TIMEOUT_S,
    ) -> None:
        self._direct = DirectExport(engine_or_url, config=config, timeout_s=timeout_s)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Write the errors of *batch*; FAILURE when the store did not take them in time."""
        errors = [record for record in batch if tells_of_error(record)]
        is_settled = not errors or self._direct.export(Kind.LOG, errors, rows=len(errors))
        return LogRecordExportResult.SUCCESS if is_settled else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 # the SDK's signature
        """Nothing waits in an exporter that writes before it returns."""
        return True

    def shutdown(self) -> None:
        """Take nothing more and close the connection."""
        self._direct.shutdown()

    def stats(self) -> dict[str, Any]:
        """Return what became of the errors: emitted, stored, already there, dropped by reason, last error."""
        return self._direct.ledger.stats()
