"""What the mapping makes of hostile telemetry, a real database stores: every row, and unchanged."""

import json
import math
import time

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode
from support.rows import columns_of
from support.spans import START_UNIX_NS, make_span

from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import RowBatch
from e2edebug_schema.tables import error_log, performance_snapshot, trace_step

TEXTS = [
    "plain",
    "",
    "   ",
    "trailing blank ",
    "🛒 emoji 👩‍👩‍👧‍👦 and grün",
    "nul \x00 and \x1b[31m",
    "lone \ud83d surrogate",
    "quote ' \" \\ ` %s %(x)s :x ; -- /*",
    "new\r\nline\ttab\u2028sep",
    "n" * 100_000,
    "🛒" * 100_000,
    "\udcff" * 300,
]
VALUES: list[object] = [
    math.nan, math.inf, 2**63, -(2**64), 10**5000, b"\xff\x00", True, None, {"a": {"b": [1, math.nan]}},
    [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]], "x" * 200_000,
]  # fmt: skip
TIMES = [(START_UNIX_NS, START_UNIX_NS - 5), (0, 0), (1, 2), (2**63, 2**64), (-1, None), (START_UNIX_NS, None)]


def hostile_spans() -> list[ReadableSpan]:
    spans = []
    for number, text in enumerate(TEXTS):
        attributes = {
            "e2edebug.component": text,
            "e2edebug.operation": text,
            "correlation.id": text,
            "enduser.id": text,
            "e2edebug.user.label": text,
            "session.id": text,
            "e2edebug.workflow.type": text,
            "e2edebug.workflow.metadata": {text: text},
            "code.file.path": text,
            "db.system": "mysql",
            "db.statement": f"SELECT '{text}'",
            "url.path": text,
            "user_agent.original": text,
            "x": VALUES[number % len(VALUES)],
            text or "k": text,
        }
        exception = {"exception.type": text, "exception.message": text, "exception.stacktrace": text, "x": text}
        start, end = TIMES[number % len(TIMES)]
        spans.append(
            make_span(
                text,
                span_id=number + 1,
                kind=SpanKind.SERVER,
                attributes=attributes,
                events=[Event("exception", exception, START_UNIX_NS + number)],
                status=Status(StatusCode.ERROR, text),
                start_unix_ns=start,
                end_unix_ns=end,
                resource=Resource({"service.name": text, "service.version": text, "service.instance.id": text}),
            )
        )
    return spans


def hostile_metrics() -> MetricsData:
    metrics = [
        Metric(text, "", text, Gauge([NumberDataPoint({"x": text, text or "k": value}, 0, START_UNIX_NS, number)]))
        for number, (text, value) in enumerate(zip(TEXTS, [*VALUES, 1], strict=True))
    ]
    scope = ScopeMetrics(InstrumentationScope("test"), metrics, "")
    return MetricsData([ResourceMetrics(Resource({}), [scope], "")])


@pytest.mark.fault(26, 27, 28, 31, 32, 33)
def test_every_row_of_hostile_telemetry_is_stored_as_it_was_mapped(engine: sa.Engine) -> None:
    batch = RowBatch()
    mapper = RowMapper()
    assert mapper.add_spans(batch, hostile_spans()) == 0
    assert mapper.add_metrics(batch, hostile_metrics()) == 0
    count = len(batch)

    result = BatchWriter(engine).write(batch, deadline=time.monotonic() + 30)

    assert (result.stored, dict(result.dropped)) == (count, {})
    with engine.connect() as connection:
        for table, rows, key in (
            (trace_step, batch.steps, "span_id"),
            (error_log, batch.errors, "event_key"),
            (performance_snapshot, batch.snapshots, "event_key"),
        ):
            stored = {row._mapping[key]: row._mapping for row in connection.execute(sa.select(table))}
            assert len(stored) == len(rows) > 0
            for row in rows:
                expected = {
                    name: value
                    for name, value in columns_of(row).items()
                    if name in table.columns and "time" not in name
                }
                assert {name: stored[expected[key]][name] for name in expected} == expected
                json.loads(stored[expected[key]]["metadata"])
