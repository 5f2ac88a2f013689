"""Errors told by the application itself: each becomes a row of `debugging_error_log`.

They travel as OpenTelemetry log records with `exception.*` attributes, so that an exception which was also recorded on
a span is still stored once. All use of the Logs API, which is not stable yet, is in this module and, for what is
captured, in e2edebug_instrumentation.logs.told_errors.
"""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry import context
from opentelemetry._logs import SeverityNumber, get_logger

from e2edebug.policy import attributes
from e2edebug.policy import correlation_id as correlation_ids
from e2edebug.policy.exception_stack import stack_text
from e2edebug.policy.plain_values import plain, text_of
from e2edebug.policy.self_report import internal_error
from e2edebug.policy.user_identity import identity_of
from e2edebug.workflow_tracer import checked_layer

SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}

_logger = get_logger("e2edebug")


class ErrorLogger:
    """Log errors that no instrumentation sees. Neither method raises for what the application passes to it at run
    time; an unknown layer or severity, which is a mistake in the code, raises ValueError."""

    @staticmethod
    def log_error(
        layer: str,
        component: str,
        error_type: str,
        error_message: str,
        correlation_id: str | None = None,
        user: object = None,
        severity: str = "error",
        stack_trace: str | None = None,
        request: object = None,
        metadata: Mapping[str, object] | None = None,
        *,
        request_path: str | None = None,
        request_method: str | None = None,
        user_agent: str | None = None,
    ) -> None:
        """Store an error that is no exception, or whose exception is elsewhere.

        layer: frontend, api, database, cache, external or system. severity: debug, info, warning, error or critical.
        correlation_id: the current workflow's, unless given. request: a Django request; its path, method and user
        agent are kept, unless the last three parameters say otherwise.
        """
        _emit(
            layer=layer,
            component=component,
            severity=severity,
            correlation_id=correlation_id,
            user=user,
            request=request,
            metadata=metadata,
            exception_fields={
                "exception.type": error_type,
                "exception.message": error_message,
                **({"exception.stacktrace": stack_trace} if stack_trace else {}),
            },
            request_fields={
                "url.path": request_path,
                "http.request.method": request_method,
                "user_agent.original": user_agent,
            },
        )

    @staticmethod
    def log_exception(
        exception: BaseException,
        layer: str,
        component: str,
        correlation_id: str | None = None,
        user: object = None,
        request: object = None,
        severity: str = "error",
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Store *exception* with its stack, its causes and its notes. Arguments as in `log_error`."""
        kind = type(exception)
        _emit(
            layer=layer,
            component=component,
            severity=severity,
            correlation_id=correlation_id,
            user=user,
            request=request,
            metadata=metadata,
            exception_fields={
                "exception.type": kind.__qualname__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__qualname__}",
                "exception.message": text_of(exception),
                "exception.stacktrace": stack_text(exception),
            },
        )


def _emit(
    *,
    layer: str,
    component: str,
    severity: str,
    correlation_id: str | None,
    user: object,
    request: object,
    metadata: Mapping[str, object] | None,
    exception_fields: dict[str, Any],
    request_fields: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    if severity not in SEVERITIES:
        raise ValueError(f"severity={severity!r} is none of {', '.join(SEVERITIES)}")
    fields: dict[str, Any] = {
        attributes.LAYER: checked_layer(layer),
        attributes.COMPONENT: text_of(component),
        attributes.ERROR_SEVERITY: severity,
        **exception_fields,
    }
    try:
        workflow = correlation_ids.accept(correlation_id) or context.get_value(correlation_ids.CONTEXT_KEY)
        if isinstance(workflow, str):
            fields[attributes.CORRELATION_ID] = workflow
        if metadata:
            fields[attributes.METADATA] = plain(metadata)
        identity = identity_of(user if user is not None else getattr(request, "user", None))
        if identity.user_id is not None:
            fields[attributes.USER_ID] = identity.user_id
        fields.update(_request_fields(request))
        fields.update({name: text_of(value) for name, value in request_fields.items() if value is not None})
        # A timestamp of its own: the exporter must not make one, or a redelivered record would be a second row.
        _logger.emit(
            timestamp=time.time_ns(),
            severity_number=SEVERITIES[severity],
            severity_text=severity.upper(),
            body=text_of(exception_fields["exception.message"]),
            attributes=fields,
        )
    except Exception as error:  # noqa: BLE001 - a request may be lazy, and other log processors may raise anything
        internal_error("log an error", error)


def _request_fields(request: object) -> dict[str, str]:
    path, method = getattr(request, "path", None), getattr(request, "method", None)
    headers = getattr(request, "headers", None) or {}
    fields = {"url.path": path, "http.request.method": method, "user_agent.original": headers.get("User-Agent")}
    return {name: value for name, value in fields.items() if isinstance(value, str)}
