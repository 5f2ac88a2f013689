"""OpenTelemetry objects become rows: the one door from the SDK's types to the store's."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan

from e2edebug.policy.config_values import WorkflowRule
from e2edebug.policy.redaction import Redactor
from e2edebug.policy.self_report import internal_error
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.error_mapping import ErrorMapper
from e2edebug_exporters.giving_way import give_way
from e2edebug_exporters.layers import LayerResolver
from e2edebug_exporters.metadata_json import MetadataWriter
from e2edebug_exporters.resource_facts import ResourceFacts, ResourceReader
from e2edebug_exporters.rows import ErrorRow, RowBatch, StepRow
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.session_facts import SessionReader
from e2edebug_exporters.snapshot_mapping import SnapshotMapper
from e2edebug_exporters.span_reading import SpanIndex
from e2edebug_exporters.step_mapping import StepMapper

SPANS_OF_A_LOOK: Final = 8
"""Some 60 us, where each is like one before. To look at the clock costs a thirtieth of such a span."""
UNMAPPABLE: Final = "unmappable"
"""In `RowMapper.sanitised`: items that became no row, because of a bug of ours or an object that breaks when read."""


class RowMapper:
    """Classifies, sanitises and redacts. Never raises for any input. Not thread-safe: the exporting thread has one.

    value_max_bytes: the longest text kept of one value; a row's metadata holds at most four times that.
    keeps_error: says of a severity whether its errors are stored.
    """

    def __init__(
        self,
        *,
        redactor: Redactor | None = None,
        value_max_bytes: int = 65536,
        workflow_rules: Sequence[WorkflowRule] = (),
        capture_client_address: bool = False,
        keeps_error: Callable[[str], bool] = lambda _severity: True,
    ) -> None:
        self._keeps_error = keeps_error
        redactor = redactor or Redactor()
        sanitizer = Sanitizer()
        encoder = AttributeEncoder(
            redactor, sanitizer, value_max_bytes=value_max_bytes, captures_client_address=capture_client_address
        )
        self.texts = texts = ColumnText(redactor, sanitizer)
        """Cleans texts that come without an OpenTelemetry object, such as a person's notes."""
        resources = ResourceReader(texts, encoder)
        layers = LayerResolver()
        metadata = MetadataWriter(encoder, sanitizer, value_max_bytes=value_max_bytes)
        self._steps = StepMapper(
            texts=texts,
            encoder=encoder,
            sanitizer=sanitizer,
            resources=resources,
            sessions=SessionReader(texts, encoder, workflow_rules),
            layers=layers,
            metadata=metadata,
            value_max_bytes=value_max_bytes,
        )
        self._errors = ErrorMapper(
            texts=texts,
            encoder=encoder,
            sanitizer=sanitizer,
            resources=resources,
            layers=layers,
            steps=self._steps,
            metadata=metadata,
            captures_client_address=capture_client_address,
        )
        self._snapshots = SnapshotMapper(
            texts=texts, encoder=encoder, sanitizer=sanitizer, resources=resources, steps=self._steps, metadata=metadata
        )
        self.sanitised: Counter[str] = sanitizer.counts
        """How often something had to be changed so that the store takes it, by reason."""

    def add_spans(self, batch: RowBatch, spans: Sequence[ReadableSpan]) -> int:
        """Append the rows of *spans*, and of the errors recorded on them. Returns how many spans became no row.

        Spans that end together belong in one call: children end before their parents, and take layer, user and
        request from them.
        """
        index = SpanIndex(spans)
        errors: dict[str, ErrorRow] = {}
        failed = 0
        steps = batch.steps
        map_known, map_span = self._steps.map_known, self._steps.map
        for number, span in enumerate(spans):
            if not number % SPANS_OF_A_LOOK:
                give_way()
            try:
                known = map_known(span, index)
                if known is not None:
                    steps.append(known)
                    continue
                give_way()
                row, facts, resource = map_span(span, index)
            except Exception as error:  # noqa: BLE001 - the edge: one broken object must not take the batch with it
                failed += 1
                self._count_unmappable("map a span", error)
                continue
            steps.append(row)
            if span._events:
                self._add_errors(errors, span, row, facts, resource, index)
        batch.errors.extend(error for error in errors.values() if self._keeps_error(error.severity))
        return failed

    def add_span(self, batch: RowBatch, span: ReadableSpan) -> bool:
        """Append the rows of one span. Returns whether it became a row."""
        return self.add_spans(batch, (span,)) == 0

    def add_log(self, batch: RowBatch, record: ReadableLogRecord) -> bool:
        """Append an error's row if *record* tells of one. Returns whether it was understood."""
        try:
            row = self._errors.of_log(record)
        except Exception as error:  # noqa: BLE001 - the edge, as above
            self._count_unmappable("map a log record", error)
            return False
        if row is not None and self._keeps_error(row.severity):
            batch.errors.append(row)
        return True

    def add_metrics(self, batch: RowBatch, data: MetricsData) -> int:
        """Append one row per data point. Returns how many points became no row."""
        failed = 0
        try:
            for metric, point, resource in self._snapshots.points(data):
                give_way()
                try:
                    batch.snapshots.append(self._snapshots.map(metric, point, resource))
                except Exception as error:  # noqa: BLE001 - the edge, as above
                    failed += 1
                    self._count_unmappable("map a data point", error)
        except Exception as error:  # noqa: BLE001 - the edge, as above
            self._count_unmappable("read metrics", error)
        return failed

    def _add_errors(
        self,
        errors: dict[str, ErrorRow],
        span: ReadableSpan,
        row: StepRow,
        facts: Facts,
        resource: ResourceFacts,
        index: SpanIndex,
    ) -> None:
        try:
            for found in self._errors.of_span(span, row, facts, resource, index):
                # Of the copies of one exception the earliest stays: spans record it from the inside out.
                known = errors.get(found.event_key)
                if known is None or found.timestamp < known.timestamp:
                    errors[found.event_key] = found
        except Exception as error:  # noqa: BLE001 - the edge, as above
            self._count_unmappable("map an exception", error)

    def _count_unmappable(self, where: str, error: Exception) -> None:
        self.sanitised[UNMAPPABLE] += 1
        internal_error(where, error)
