"""Workflows and steps over HTTP: begun and ended by requests, stored as the spans that they would be in Python."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework.exceptions import APIException

from e2edebug.django import models
from e2edebug.django.api.recording import WORKFLOW_COMPONENT, new_span_id, new_trace_id, record_span
from e2edebug.django.api.serializers import ended_at
from e2edebug.policy import attributes as names
from e2edebug.policy import correlation_id as correlation_ids
from e2edebug_schema.tables import EXPLICIT_STATUS_RANK


class AlreadyEnded(APIException):
    """409."""

    status_code = 409
    default_code = "already_ended"


def start_session(values: Mapping[str, Any]) -> tuple[models.WorkflowSession, bool]:
    """Store a running workflow, unless its correlation id is known; return its session and whether it is new."""
    own_id = values.get("correlation_id") or correlation_ids.new()
    known = models.WorkflowSession.objects.filter(correlation_id=own_id).first()
    if known is not None:
        return known, False
    attributes = _of_workflow(own_id, values["workflow_type"]) | {
        attribute: values[field] for field, attribute in _SESSION_ATTRIBUTES.items() if field in values
    }
    row, _ = record_span(
        name=values["workflow_type"],
        attributes=attributes | {names.PENDING: True},
        trace_id=values.get("trace_id") or new_trace_id(),
        span_id=new_span_id(),
        start=values.get("start_time") or datetime.now(UTC),
        end=None,
        service=values.get("service"),
        service_release=values.get("service_release"),
    )
    return models.WorkflowSession.objects.get(correlation_id=row.correlation_id), True


def end_session(
    session: models.WorkflowSession, status: str, *, metadata: Mapping[str, Any] | None = None, error: str | None = None
) -> models.WorkflowSession:
    """End a workflow by hand: that wins over its steps. Raises AlreadyEnded (409) when it was ended otherwise by hand."""
    if session.status_rank >= EXPLICIT_STATUS_RANK:
        if session.status != status:
            raise AlreadyEnded(f"The workflow was ended as {session.status} before.")
        return session
    attributes = _of_workflow(session.correlation_id, session.workflow_type) | {names.WORKFLOW_STATUS: status}
    if metadata:
        before = session.metadata if isinstance(session.metadata, dict) else {}
        attributes[names.WORKFLOW_METADATA] = before | dict(metadata)
    own = _own_span(session.correlation_id)
    is_running = own is not None and own.end_time is None
    # A workflow that only its requests made has no span of its own that could end: one over all of it says so.
    record_span(
        name=session.workflow_type,
        attributes=attributes,
        trace_id=own.trace_id if own is not None and is_running else session.trace_id or new_trace_id(),
        span_id=own.span_id if own is not None and is_running else new_span_id(),
        parent_span_id=own.parent_span_id if own is not None and is_running else None,
        start=own.start_time if own is not None and is_running else session.start_time,
        end=datetime.now(UTC) if is_running or session.end_time is None else session.end_time,
        failure=error,
        service=session.service or None,
        service_release=session.service_release,
    )
    session.refresh_from_db()
    return session


def add_step(values: Mapping[str, Any]) -> tuple[models.TraceStep, bool]:
    """Store a step; return it and whether it is new."""
    own_id = values["correlation_id"]
    own = _own_span(own_id)
    trace_id = values.get("trace_id") or (own.trace_id if own is not None else _trace_of(own_id)) or new_trace_id()
    parent = values.get("parent_span_id") or (own.span_id if own is not None and own.trace_id == trace_id else None)
    span_id = values.get("span_id") or new_span_id()
    start, end = ended_at(dict(values))
    status = values["status"]
    attributes: dict[str, Any] = {
        names.LAYER: values["layer"],
        names.COMPONENT: values["component"],
        names.OPERATION: values["operation"],
        names.CORRELATION_ID: own_id,
    }
    if status == "started":
        attributes[names.PENDING] = True
    if status == "skipped":
        attributes[names.SKIPPED] = True
    if values.get("metadata"):
        attributes[names.METADATA] = values["metadata"]
    if values.get("statement"):
        attributes["db.query.text"] = values["statement"]
    row, is_new = record_span(
        name=f"{values['component']}.{values['operation']}",
        attributes=attributes,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=None if parent == span_id else parent,
        start=start,
        end=end,
        failure=values.get("status_message", "failed") if status == "failed" else None,
        service=values.get("service"),
        service_release=values.get("service_release"),
    )
    return _stored_step(row.trace_id, row.span_id), is_new


def end_step(
    step: models.TraceStep, status: str, *, metadata: Mapping[str, Any] | None = None, error: str | None = None
) -> models.TraceStep:
    """End a running step. Raises AlreadyEnded (409) when it has ended otherwise."""
    if step.status != "started":
        if step.status != status:
            raise AlreadyEnded(f"The step has ended as {step.status} before.")
        return step
    before = step.metadata if isinstance(step.metadata, dict) else {}
    attributes = {
        names.LAYER: step.layer,
        names.COMPONENT: step.component,
        names.OPERATION: step.operation,
        names.CORRELATION_ID: step.correlation_id,
        names.METADATA: before | dict(metadata or {}),
    }
    if step.statement:
        attributes["db.query.text"] = step.statement
    record_span(
        name=f"{step.component}.{step.operation}",
        attributes=attributes,
        trace_id=step.trace_id,
        span_id=step.span_id,
        parent_span_id=step.parent_span_id,
        start=step.start_time,
        end=max(datetime.now(UTC), step.start_time),
        kind=step.kind,
        failure=error,
        service=step.service or None,
    )
    return _stored_step(step.trace_id, step.span_id)


def _stored_step(trace_id: str, span_id: str) -> models.TraceStep:
    return models.TraceStep.objects.filter(trace_id=trace_id, span_id=span_id).order_by("-start_time")[0]


def _own_span(correlation_id: str) -> models.TraceStep | None:
    """The step that is the workflow itself."""
    found = models.TraceStep.objects.filter(correlation_id=correlation_id, component=WORKFLOW_COMPONENT)
    return found.order_by("start_time", "id").first()


def _trace_of(correlation_id: str) -> str | None:
    known = models.WorkflowSession.objects.filter(correlation_id=correlation_id).values_list("trace_id", flat=True)
    return next(iter(known[:1]), None)


def _of_workflow(correlation_id: str, workflow_type: str) -> dict[str, Any]:
    return {
        names.WORKFLOW_TYPE: workflow_type,
        names.COMPONENT: WORKFLOW_COMPONENT,
        names.OPERATION: workflow_type,
        names.CORRELATION_ID: correlation_id,
    }


_SESSION_ATTRIBUTES = {
    "user_id": names.USER_ID,
    "user_label": names.USER_LABEL,
    "parent_correlation_id": names.WORKFLOW_PARENT,
    "metadata": names.WORKFLOW_METADATA,
}
