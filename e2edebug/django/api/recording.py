"""What a request records becomes the OpenTelemetry object that it stands for, and takes the way of all others.

So it passes the same sanitising and redaction, and the same statements that can be run twice; only the waiting is
different: the row is written before the request is answered, because the answer tells its id.
"""

import secrets
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from e2edebug.django.store_engine import store_for_writing
from e2edebug.performance import UNITS
from e2edebug.policy import attributes as names
from e2edebug.policy.config import Config
from e2edebug.runtime import lifecycle
from e2edebug.runtime.django_project import with_project_name
from e2edebug_exporters.batch_writer import BatchWriter
from e2edebug_exporters.configured_mapper import mapper_of
from e2edebug_exporters.row_mapper import RowMapper
from e2edebug_exporters.rows import ErrorRow, RowBatch, SnapshotRow, StepRow

WORKFLOW_COMPONENT: Final = "workflow"
"""The component of a workflow's own span, as `start_workflow()` makes it."""


class NotRecordedError(RuntimeError):
    """A bug of ours: valid values became no row."""


def record_span(
    *,
    name: str,
    attributes: Mapping[str, Any],
    trace_id: str,
    span_id: str,
    start: datetime,
    end: datetime | None,
    parent_span_id: str | None = None,
    kind: str = "internal",
    failure: str | None = None,
    service: str | None = None,
    service_release: str | None = None,
) -> tuple[StepRow, bool]:
    """Write a span as a step, and what it says of its workflow; return the row and whether it is new or has just ended.

    failure: it failed, because of this text.
    """
    context = _context(trace_id, span_id)
    span = ReadableSpan(
        name=name,
        context=context,
        parent=None if parent_span_id is None else _context(trace_id, parent_span_id),
        resource=resource_of(service, service_release),
        attributes=dict(attributes),
        kind=SpanKind[kind.upper()],
        status=Status(StatusCode.UNSET) if failure is None else Status(StatusCode.ERROR, failure),
        start_time=unix_ns(start),
        end_time=None if end is None else unix_ns(end),
        instrumentation_scope=_SCOPE,
    )
    batch = RowBatch()
    _mapper().add_spans(batch, [span])
    if len(batch.steps) != 1:
        raise NotRecordedError("the span became no row")
    return batch.steps[0], store(batch)


def record_error(values: Mapping[str, Any]) -> tuple[ErrorRow, bool]:
    """Write an error; return its row and whether it is new. values: as NewErrorLogSerializer validates them."""
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadableLogRecord

    from e2edebug.errors import SEVERITIES

    severity = values.get("severity", "error")
    attributes: dict[str, Any] = {
        names.LAYER: values["layer"],
        names.COMPONENT: values["component"],
        names.ERROR_SEVERITY: severity,
        "exception.type": values["error_type"],
        "exception.message": values["error_message"],
    }
    attributes |= {attribute: values[field] for field, attribute in _ERROR_ATTRIBUTES.items() if values.get(field)}
    record = LogRecord(
        timestamp=unix_ns(values.get("timestamp") or datetime.now(UTC)),
        trace_id=int(values.get("trace_id", "0"), 16),
        span_id=int(values.get("span_id", "0"), 16),
        severity_number=SEVERITIES[severity],
        severity_text=severity.upper(),
        body=values["error_message"],
        attributes=attributes,
    )
    batch = RowBatch()
    _mapper().add_log(
        batch,
        ReadableLogRecord(
            log_record=record,
            resource=resource_of(values.get("service"), values.get("service_release")),
            instrumentation_scope=_SCOPE,
        ),
    )
    if len(batch.errors) != 1:
        raise NotRecordedError("the error became no row")
    return batch.errors[0], store(batch)


def record_metric(values: Mapping[str, Any]) -> SnapshotRow:
    """Write one value. values: as NewPerformanceSnapshotSerializer validates them."""
    from opentelemetry.sdk.metrics.export import Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics
    from opentelemetry.sdk.metrics.export import ScopeMetrics as MetricsOfScope

    attributes: dict[str, Any] = {
        names.LAYER: values["layer"],
        names.COMPONENT: values["component"],
        names.POINT: uuid.uuid4().hex,
    }
    attributes |= {attribute: values[field] for field, attribute in _METRIC_ATTRIBUTES.items() if field in values}
    moment = unix_ns(values.get("timestamp") or datetime.now(UTC))
    point = NumberDataPoint(
        attributes=attributes,
        start_time_unix_nano=moment,
        time_unix_nano=moment,
        value=values["metric_value"],
        exemplars=[],
    )
    unit = values.get("unit", UNITS.get(values["metric_name"], ""))
    metric = Metric(name=values["metric_name"], description="", unit=unit, data=Gauge(data_points=[point]))
    resource = resource_of(values.get("service"), values.get("service_release"))
    scope = MetricsOfScope(scope=_SCOPE, metrics=[metric], schema_url="")
    batch = RowBatch()
    _mapper().add_metrics(
        batch, MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])
    )
    if len(batch.snapshots) != 1:
        raise NotRecordedError("the value became no row")
    store(batch)
    return batch.snapshots[0]


def store(batch: RowBatch) -> bool:
    """Write *batch* in one transaction, at once. Returns whether anything of it was new."""
    with store_for_writing() as connection:
        return BatchWriter(connection.engine).write_in(connection, batch).stored > 0


def clean_text(text: str, limit: int) -> str:
    """Return what a person wrote as it may be stored: without secrets and control characters, not longer than *limit*."""
    return _mapper().texts.name(text, limit)


def resource_of(service: str | None, release: str | None) -> Resource:
    """Return the service that something is recorded for: this one, unless another is named."""
    config = with_project_name(lifecycle.config_in_force())
    attributes: dict[str, str] = {"service.name": service or config.service_name}
    version = release or (None if service else config.release)
    if version:
        attributes["service.version"] = version
    return Resource(attributes)


def new_trace_id() -> str:
    """Return a random trace id."""
    return secrets.token_hex(16)


def new_span_id() -> str:
    """Return a random span id."""
    return secrets.token_hex(8)


def unix_ns(moment: datetime) -> int:
    """Return *moment* in nanoseconds since 1970, exactly."""
    since_1970 = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + since_1970.microseconds) * 1000


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Mappers(threading.local):
    """A mapper remembers names and is not made for several threads at once."""

    config: Config | None = None
    mapper: RowMapper | None = None


_mappers = _Mappers()


def _mapper() -> RowMapper:
    config = lifecycle.config_in_force()
    if _mappers.mapper is None or _mappers.config != config:
        _mappers.config, _mappers.mapper = config, mapper_of(config)
    return _mappers.mapper


_SCOPE: Final = InstrumentationScope("e2edebug.rest")
_ERROR_ATTRIBUTES: Final = {
    "correlation_id": names.CORRELATION_ID,
    "stack_trace": "exception.stacktrace",
    "user_id": names.USER_ID,
    "request_path": names.REQUEST_PATH,
    "request_method": "http.request.method",
    "user_agent": "user_agent.original",
    "ip_address": "client.address",
    "metadata": names.METADATA,
}
_METRIC_ATTRIBUTES: Final = {
    "correlation_id": names.CORRELATION_ID,
    "trace_id": "trace_id",
    "threshold_warning": names.THRESHOLD_WARNING,
    "threshold_critical": names.THRESHOLD_CRITICAL,
    "metadata": names.METADATA,
}
