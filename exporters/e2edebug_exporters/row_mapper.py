"""OpenTelemetry objects become rows: the one door from the SDK's types to the store's."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan

from e2edebug.policy.config_values import WorkflowRule
from e2edebug.policy.redaction import Redactor
from e2edebug_exporters.attribute_json import AttributeEncoder
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.layers import LayerResolver
from e2edebug_exporters.resource_facts import ResourceReader
from e2edebug_exporters.rows import RowBatch
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.session_facts import SessionReader
from e2edebug_exporters.span_reading import SpanIndex
from e2edebug_exporters.step_mapping import StepMapper

_logger = logging.getLogger("e2edebug")

UNMAPPABLE: Final = "unmappable"
"""In `RowMapper.sanitised`: items that became no row, because of a bug of ours or an object that breaks when read."""


class RowMapper:
    """Classifies, sanitises and redacts. Never raises for any input. Not thread-safe: the exporting thread has one.

    value_max_bytes: the longest text kept of one value; a row's metadata holds at most four times that.
    """

    def __init__(
        self,
        *,
        redactor: Redactor | None = None,
        value_max_bytes: int = 65536,
        workflow_rules: Sequence[WorkflowRule] = (),
        capture_client_address: bool = False,
    ) -> None:
        redactor = redactor or Redactor()
        sanitizer = Sanitizer()
        encoder = AttributeEncoder(
            redactor, sanitizer, value_max_bytes=value_max_bytes, captures_client_address=capture_client_address
        )
        texts = ColumnText(redactor, sanitizer)
        resources = ResourceReader(texts, encoder)
        layers = LayerResolver()
        self._steps = StepMapper(
            texts=texts,
            encoder=encoder,
            sanitizer=sanitizer,
            resources=resources,
            sessions=SessionReader(texts, encoder, workflow_rules),
            layers=layers,
            value_max_bytes=value_max_bytes,
        )
        self.sanitised: Counter[str] = sanitizer.counts
        """How often something had to be changed so that the store takes it, by reason."""

    def add_spans(self, batch: RowBatch, spans: Sequence[ReadableSpan]) -> int:
        """Append the rows of *spans*, and of the errors recorded on them. Returns how many spans became no row.

        Spans that end together belong in one call: children end before their parents, and take layer, user and
        request from them.
        """
        index = SpanIndex(spans)
        failed = 0
        for span in spans:
            try:
                mapped = self._steps.map(span, index)
            except Exception:  # the edge: one broken object must not take the batch with it
                failed += 1
                self._count_unmappable()
                continue
            batch.steps.append(mapped.row)
        return failed

    def add_span(self, batch: RowBatch, span: ReadableSpan) -> bool:
        """Append the rows of one span. Returns whether it became a row."""
        return self.add_spans(batch, (span,)) == 0

    def add_log(self, batch: RowBatch, record: ReadableLogRecord) -> bool:
        """Append an error's row if *record* tells of one. Returns whether it was understood."""
        return True

    def add_metrics(self, batch: RowBatch, data: MetricsData) -> int:
        """Append one row per data point. Returns how many points became no row."""
        return 0

    def _count_unmappable(self) -> None:
        self.sanitised[UNMAPPABLE] += 1
        if self.sanitised[UNMAPPABLE] == 1:
            _logger.warning("e2edebug: an item could not be turned into a row and was dropped", exc_info=True)
