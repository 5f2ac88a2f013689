"""The SDK's log records enter the pipeline here: those that tell of an error, and none that tells of ourselves."""

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from e2edebug.policy.self_report import internal_error
from e2edebug_exporters.log_selection import tells_of_error
from e2edebug_exporters.pipeline import Pipeline


class LogPipelineProcessor(LogRecordProcessor):
    """Hands over log records. What our own thread logs is left out: it would feed itself for ever."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._is_shut_down = False

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take over the record if it tells of an error."""
        try:
            if self._is_shut_down or not is_instrumentation_enabled() or not tells_of_error(log_record):
                return
            self._pipeline.put_log(
                ReadableLogRecord(
                    log_record=log_record.log_record,
                    resource=log_record.resource or Resource.get_empty(),
                    instrumentation_scope=log_record.instrumentation_scope,
                    limits=log_record.limits,
                )
            )
        except Exception as error:  # noqa: BLE001 # the edge to the application
            internal_error("take over a log record", error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write what was emitted; True once all of it is accounted for."""
        return self._pipeline.flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Take no more records and write those that wait."""
        if not self._is_shut_down:
            self._is_shut_down = True
            self._pipeline.flush_at_exit()
