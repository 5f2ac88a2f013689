"""A mapper as the exporter has one, and shorter ways to use it."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch, StepRow


@pytest.fixture
def mapper() -> RowMapper:
    return RowMapper()


@pytest.fixture
def rows_of(mapper: RowMapper) -> Callable[[Sequence[ReadableSpan]], RowBatch]:
    """Map spans as one batch."""

    def map_spans(spans: Sequence[ReadableSpan]) -> RowBatch:
        batch = RowBatch()
        mapper.add_spans(batch, spans)
        return batch

    return map_spans


@pytest.fixture
def step_of(rows_of: Callable[[Sequence[ReadableSpan]], RowBatch]) -> Callable[[ReadableSpan], StepRow]:
    """Map one span."""
    return lambda span: rows_of([span]).steps[0]


@pytest.fixture
def metadata_of(step_of: Callable[[ReadableSpan], StepRow]) -> Callable[[ReadableSpan], dict[str, Any]]:
    """Map one span and parse its metadata."""

    def parse(span: ReadableSpan) -> dict[str, Any]:
        parsed = json.loads(step_of(span).metadata)
        assert isinstance(parsed, dict)
        return parsed

    return parse
