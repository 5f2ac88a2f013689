"""Recorded exceptions become errors: from the events of spans, and from log records.

One exception is recorded on each span that it passes through, and once more in the log. All its copies get the same
event key, so that the store keeps one: the first to arrive, which on spans is the innermost, where it was raised.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind

from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id
from e2edebug.policy.plain_values import text_of
from e2edebug_exporters.attribute_json import AttributeEncoder, Facts
from e2edebug_exporters.column_limits import column_limits
from e2edebug_exporters.column_text import ColumnText
from e2edebug_exporters.error_texts import ErrorTextMaker, RecordedException
from e2edebug_exporters.fingerprint import FINGERPRINT_VERSION, digest
from e2edebug_exporters.layers import LayerResolver
from e2edebug_exporters.metadata_json import MetadataWriter
from e2edebug_exporters.request_facts import request_facts
from e2edebug_exporters.resource_facts import ResourceFacts, ResourceReader
from e2edebug_exporters.rows import ErrorRow, StepRow
from e2edebug_exporters.sanitize import Sanitizer
from e2edebug_exporters.span_reading import SpanIndex, plain_mapping, raw_attributes
from e2edebug_exporters.step_mapping import StepMapper, is_client_error
from e2edebug_exporters.step_naming import code_owner_of
from e2edebug_exporters.time_text import EARLIEST, is_storable, time_text
from e2edebug_schema.tables import LAYERS, SEVERITIES

TOO_MANY_ERRORS: Final = "errors beyond 1024 of a span"
"""In `RowMapper.sanitised`: exceptions that became no row."""


class ErrorMapper:
    """Makes the rows of errors."""

    def __init__(
        self,
        *,
        texts: ColumnText,
        encoder: AttributeEncoder,
        sanitizer: Sanitizer,
        resources: ResourceReader,
        layers: LayerResolver,
        steps: StepMapper,
        metadata: MetadataWriter,
        captures_client_address: bool,
    ) -> None:
        self._texts = texts
        self._encoder = encoder
        self._sanitizer = sanitizer
        self._resources = resources
        self._layers = layers
        self._steps = steps
        self._metadata_writer = metadata
        self._captures_client_address = captures_client_address
        self._limits = column_limits().error
        self._error_texts = ErrorTextMaker(texts, sanitizer)

    def of_span(
        self, span: ReadableSpan, row: StepRow, facts: Facts, resource: ResourceFacts, index: SpanIndex
    ) -> list[ErrorRow]:
        """Return the errors recorded on *span*, of which *row* and *facts* were made."""
        events = [event for event in span.events if event.name == "exception"]
        if len(events) > _MOST_PER_SPAN:
            self._sanitizer.counts[TOO_MANY_ERRORS] += len(events) - _MOST_PER_SPAN
        return [
            self._of_event(event, span, row, resource, index)
            for event in events[:_MOST_PER_SPAN]
            if _is_error(event, span, facts, index)
        ]

    def of_log(self, record: ReadableLogRecord) -> ErrorRow | None:
        """Return the error that a log record tells of, or None: the store keeps errors, not logs.

        Records with `exception.*` are errors whatever their level, others from level ERROR on.
        """
        log = record.log_record
        attributes = plain_mapping(log.attributes)
        level = int(log.severity_number.value) if log.severity_number is not None else 0
        has_exception = "exception.type" in attributes or "exception.stacktrace" in attributes
        if not (has_exception or level >= _ERROR_LEVEL):
            return None
        logger = record.instrumentation_scope.name if record.instrumentation_scope is not None else ""
        if _tells_of_requests(logger) and is_client_error({"http.response.status_code": attributes.get("status_code")}):
            return None
        error_type = self._sanitizer.as_text(attributes.get("exception.type") or logger or _UNKNOWN_TYPE)
        return self._of_record(record, attributes, level=level, logger=logger, error_type=error_type)

    def _of_event(
        self, event: Event, span: ReadableSpan, row: StepRow, resource: ResourceFacts, index: SpanIndex
    ) -> ErrorRow:
        attributes = plain_mapping(event.attributes)
        root = index.local_root(span)
        sources: list[Mapping[str, Any]] = [attributes]
        sources += [raw_attributes(one) for one in (span, root) if one.kind is SpanKind.SERVER]
        failed = row.status == "failed"
        return self._row(
            attributes=attributes,
            sources=[*sources, {names.USER_ID: raw_attributes(span).get(names.USER_ID)}],
            error_type=self._sanitizer.as_text(attributes.get("exception.type") or _UNKNOWN_TYPE),
            message=self._sanitizer.as_text(attributes.get("exception.message") or ""),
            time_unix_ns=self._time_of(event.timestamp, span.end_time, span.start_time),
            key_of_copy="",
            correlation=row.correlation_id,
            trace_id=row.trace_id,
            span_id=row.span_id,
            layer=row.layer,
            component=row.component,
            severity="error" if failed else "warning",
            resource=resource,
            extra={names.OPERATION: row.operation, "code.location": row.code_location},
        )

    def _of_record(
        self, record: ReadableLogRecord, attributes: Mapping[str, Any], *, level: int, logger: str, error_type: str
    ) -> ErrorRow:
        log = record.log_record
        resource = self._resources.facts(record.resource)
        body = self._sanitizer.as_text(log.body) if log.body is not None else ""
        message = self._sanitizer.as_text(attributes.get("exception.message") or "") or body
        time_unix_ns = log.timestamp or log.observed_timestamp or 0
        trace_id = f"{log.trace_id:032x}" if log.trace_id else None
        # A record without a stack is no copy of a span's exception: each one counts. Outside a trace nothing tells
        # copies apart from two processes that failed at once, but their instance and the time.
        has_stack = bool(attributes.get("exception.stacktrace"))
        key_of_copy = "" if trace_id and has_stack else f"{time_unix_ns} {resource.instance} {logger}"
        layer = self._layers.known_layer(log.span_id) if log.span_id else None
        return self._row(
            attributes=attributes,
            sources=[attributes],
            error_type=error_type,
            message=message,
            time_unix_ns=self._time_of(log.timestamp, log.observed_timestamp),
            key_of_copy=key_of_copy,
            correlation=self._steps.correlation_of_trace(log.trace_id) if log.trace_id else None,
            trace_id=trace_id,
            span_id=f"{log.span_id:016x}" if log.span_id else None,
            layer=layer or self._layers.layer_of_running(record.resource),
            component=code_owner_of(attributes) or logger or _UNKNOWN_TYPE,
            severity=_severity_of_level(level),
            resource=resource,
            extra={"logger": logger or None, "log.body": body if body and body != message else None},
            group_text=_group_text(attributes),
        )

    def _row(
        self,
        *,
        attributes: Mapping[str, Any],
        sources: Sequence[Mapping[str, Any]],
        error_type: str,
        message: str,
        time_unix_ns: int,
        key_of_copy: str,
        correlation: str | None,
        trace_id: str | None,
        span_id: str | None,
        layer: str,
        component: object,
        severity: str,
        resource: ResourceFacts,
        extra: Mapping[str, Any],
        group_text: str = "",
    ) -> ErrorRow:
        own_layer = attributes.get(names.LAYER)
        layer = str(own_layer) if own_layer in LAYERS else layer
        texts = self._error_texts.of(
            RecordedException(
                error_type,
                message,
                self._sanitizer.as_text(attributes.get("exception.stacktrace") or ""),
                group_text,
                _status_of((*sources, attributes)),
                layer,
            )
        )
        limits = self._limits
        request = request_facts(sources, self._texts, limits, with_address=self._captures_client_address)
        return ErrorRow(
            event_key=digest(trace_id or "", texts.short_type, texts.origin, key_of_copy),
            correlation_id=correlation_id.accept(attributes.get(names.CORRELATION_ID)) or correlation,
            trace_id=trace_id,
            span_id=span_id,
            timestamp=time_text(time_unix_ns) if time_unix_ns > 0 else EARLIEST,
            layer=layer,
            component=self._texts.name(attributes.get(names.COMPONENT) or component, limits["component"]),
            severity=_explicit_severity(attributes) or severity,
            error_type=texts.error_type,
            error_message=texts.error_message,
            stack_trace=texts.stack_trace,
            fingerprint=texts.fingerprint,
            fingerprint_version=FINGERPRINT_VERSION,
            user_id=request.user_id,
            request_path=request.path,
            request_method=request.method,
            user_agent=request.user_agent,
            ip_address=request.ip_address,
            service=resource.service,
            service_release=resource.release,
            metadata=self._metadata(attributes, resource, extra),
            error_class=texts.error_class,
            group_title=texts.group_title,
        )

    def _time_of(self, *candidates: int | None) -> int:
        """Return the first time that a column can hold, 0 for none."""
        if candidates[0] is not None and not is_storable(candidates[0]):
            self._sanitizer.counts["time"] += 1
        return next((time for time in candidates if time is not None and is_storable(time)), 0)

    def _metadata(self, attributes: Mapping[str, Any], resource: ResourceFacts, extra: Mapping[str, Any]) -> str:
        parts: dict[str, str] = {}
        facts: Facts = {}
        told = {key: value for key, value in attributes.items() if not key.startswith("exception.")}
        told.update((key, value) for key, value in extra.items() if value is not None and key != names.OPERATION)
        self._encoder.read(told, of_server=True, facts=facts, parts=parts)
        operation = attributes.get(names.OPERATION) or extra.get(names.OPERATION)
        if operation:
            parts["operation"] = '"operation":' + self._encoder.value(operation)
        parts.update(resource.essentials)
        return self._metadata_writer.finished(facts, parts)


def _group_text(attributes: Mapping[str, Any]) -> str:
    """Return what log records without a stack have in common if they come from one place: the place, and their template."""
    template = attributes.get("log.template")
    if not isinstance(template, str):
        return ""
    path = text_of(attributes.get("code.file.path") or "").replace("\\", "/")
    return f"{'/'.join(path.split('/')[-2:])}:{text_of(attributes.get('code.function.name') or '')} {template}"


def _is_error(event: Event, span: ReadableSpan, facts: Facts, index: SpanIndex) -> bool:
    """Tell whether an exception is a failure of the application, not the client's (semantic conventions: 4xx on servers)."""
    attributes = plain_mapping(event.attributes)
    if names.ERROR_SEVERITY in attributes:
        return True
    if text_of(attributes.get("exception.type", "")) in _CLIENT_ERROR_TYPES:
        return not _may_be_the_clients(span, facts, index)
    return not (span.kind is SpanKind.SERVER and _is_4xx(facts))


def _may_be_the_clients(span: ReadableSpan, facts: Facts, index: SpanIndex) -> bool:
    """Tell whether *span* belongs to a request that was answered with a status below 500, for all that is known yet.

    The request's own span ends last, maybe in a later batch, and says then whether it was an error after all.
    """
    if span.kind is SpanKind.SERVER:
        return is_client_error(facts)
    root = index.local_root(span)
    if root.kind is SpanKind.SERVER:
        found = raw_attributes(root)
        status = found.get("http.response.status_code", found.get("http.status_code"))
        return status is None or is_client_error({"http.response.status_code": status})
    return root.parent is not None and not root.parent.is_remote


def _status_of(sources: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the HTTP status that is known with an error: of the request's answer, or told with a log record."""
    for source in sources:
        for name in ("http.response.status_code", "http.status_code", "status_code"):
            status = source.get(name)
            if isinstance(status, int):
                return status
    return None


def _is_4xx(facts: Facts) -> bool:
    return is_client_error(facts) and int(facts["http.response.status_code"]) >= 400


def _tells_of_requests(logger: str) -> bool:
    return logger == "django.request" or logger.startswith("django.security")


def _explicit_severity(attributes: Mapping[str, Any]) -> str | None:
    severity = attributes.get(names.ERROR_SEVERITY)
    return str(severity) if severity in SEVERITIES else None


def _severity_of_level(level: int) -> str:
    """OpenTelemetry's severity numbers: DEBUG from 5, INFO from 9, WARN from 13, ERROR from 17, FATAL from 21."""
    if level >= 21:
        return "critical"
    if level >= _ERROR_LEVEL or level == 0:
        return "error"
    return "warning" if level >= 13 else "info" if level >= 9 else "debug"


_ERROR_LEVEL: Final = 17
_UNKNOWN_TYPE: Final = "Error"
_MOST_PER_SPAN: Final = 1024
"""Eight times what the SDK keeps on a span, unless it is told otherwise."""
_CLIENT_ERROR_TYPES: Final = frozenset(
    {
        "django.http.response.Http404",
        "django.http.multipartparser.MultiPartParserError",
        "django.urls.exceptions.Resolver404",
        *(
            f"django.core.exceptions.{name}"
            for name in (
                "BadRequest", "DisallowedHost", "DisallowedRedirect", "PermissionDenied", "RequestDataTooBig",
                "SuspiciousFileOperation", "SuspiciousMultipartForm", "SuspiciousOperation", "TooManyFieldsSent",
                "TooManyFilesSent",
            )
        ),
        *(
            f"rest_framework.exceptions.{name}"
            for name in (
                "AuthenticationFailed", "MethodNotAllowed", "NotAcceptable", "NotAuthenticated", "NotFound", "ParseError",
                "PermissionDenied", "Throttled", "UnsupportedMediaType", "ValidationError",
            )
        ),
    }
)  # fmt: skip
"""Django and REST framework answer these with a status below 500; elsewhere their bare names are those of real errors."""
