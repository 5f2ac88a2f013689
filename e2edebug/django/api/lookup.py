"""One row by whatever id a person has at hand: its number, a correlation id, or a trace id."""

import re
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.exceptions import APIException, NotFound

from e2edebug.django import models
from e2edebug.policy import correlation_id

REFERENCE_PATTERN: Final = "^[A-Za-z0-9._-]{1,64}$"
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_LARGEST_ID: Final = (1 << 63) - 1


class Ambiguous(APIException):
    """409: what is to be changed must be named exactly."""

    status_code = 409
    default_code = "ambiguous"


def find_session(reference: str) -> models.WorkflowSession:
    """Return the session. Raises NotFound (404)."""
    sessions = models.WorkflowSession.objects
    found = _by_number(sessions.all(), reference)
    if found is None and correlation_id.accept(reference):
        found = sessions.filter(correlation_id=reference).first()
    if found is None and (owner := _owner_of_trace(reference)) is not None:
        found = sessions.filter(correlation_id=owner).first()
    if found is None:
        raise NotFound(f"No workflow session has the id, correlation id or trace id {_shown(reference)}.")
    return found


def find_in_workflow(queryset: QuerySet[Any], reference: str, *, order: tuple[str, ...], to_change: bool) -> Any:
    """Return the row with that number, else the first by *order* of the workflow or trace. Raises NotFound (404).

    to_change: several rows of one workflow are not told apart by guessing; raises Ambiguous (409) with their ids.
    """
    name = queryset.model._meta.verbose_name
    found = _by_number(queryset, reference)
    if found is not None:
        return found
    candidates: list[Any] = []
    if correlation_id.accept(reference):
        candidates = list(queryset.filter(correlation_id=reference).order_by(*order)[:20])
        trace_id = reference.replace("-", "").lower()
        if not candidates and _TRACE_ID.fullmatch(trace_id):
            candidates = list(_of_trace(queryset, trace_id).order_by(*order)[:20])
    if not candidates:
        raise NotFound(f"No {name} has the id, correlation id or trace id {_shown(reference)}.")
    if to_change and len(candidates) > 1:
        raise Ambiguous(f"Several have it, name one by its id: {', '.join(str(row.pk) for row in candidates)}.")
    return candidates[0]


def find_by_number(queryset: QuerySet[Any], reference: str) -> Any:
    """Return the row with that number. Raises NotFound (404)."""
    found = _by_number(queryset, reference)
    if found is None:
        raise NotFound(f"No {queryset.model._meta.verbose_name} has the id {_shown(reference)}.")
    return found


def find_group(reference: str) -> models.ErrorGroup:
    """Return the error group by its number, fingerprint, or the correlation or trace id of one of its errors."""
    groups = models.ErrorGroup.objects
    found = _by_number(groups.all(), reference)
    if found is None and _TRACE_ID.fullmatch(reference):
        found = groups.filter(fingerprint=reference).order_by("-fingerprint_version").first()
    if found is None:
        try:
            error = find_in_workflow(models.ErrorLog.objects.all(), reference, order=_NEWEST, to_change=False)
        except NotFound:
            raise NotFound(f"No error group has the id or fingerprint {_shown(reference)}.") from None
        found = groups.filter(fingerprint=error.fingerprint, fingerprint_version=error.fingerprint_version).first()
    if found is None:
        raise NotFound(f"No error group has the id or fingerprint {_shown(reference)}.")
    return found


def _by_number(queryset: QuerySet[Any], reference: str) -> Any:
    if not (reference.isascii() and reference.isdigit() and len(reference) <= 19) or int(reference) > _LARGEST_ID:
        return None
    return queryset.filter(id=int(reference)).first()


def _of_trace(queryset: QuerySet[Any], trace_id: str) -> QuerySet[Any]:
    """Only steps have an index on the trace; the others are found by the workflow that the steps belong to."""
    if queryset.model is models.TraceStep:
        return queryset.filter(trace_id=trace_id)
    owner = _owner_of_trace(trace_id)
    return queryset.none() if owner is None else queryset.filter(correlation_id=owner)


def _owner_of_trace(reference: str) -> str | None:
    trace_id = reference.replace("-", "").lower()
    if not _TRACE_ID.fullmatch(trace_id):
        return None
    steps = models.TraceStep.objects.filter(trace_id=trace_id)
    return next(iter(steps.values_list("correlation_id", flat=True)[:1]), None)


def _shown(reference: str) -> str:
    return repr(reference[:64])


_NEWEST: Final = ("-timestamp", "-id")
