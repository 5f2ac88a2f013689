"""`workflow-sessions/`."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema_view
from rest_framework import serializers as drf
from rest_framework.decorators import action
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api import serializers
from e2edebug.django.api.filters import SessionFilterSet
from e2edebug.django.api.keyset_pagination import Place, encoded
from e2edebug.django.api.lookup import find_session
from e2edebug.django.api.openapi import described
from e2edebug.django.api.permissions import may_view
from e2edebug.django.api.query_parameters import read_range, shown_moment
from e2edebug.django.api.recent_hours import counts_of_hours, within_limits
from e2edebug.django.api.session_recording import end_session, start_session
from e2edebug.django.api.statistics_serializers import WorkflowStatsSerializer
from e2edebug.django.api.views.collection import Collection
from e2edebug.django.store_engine import store_for_reading
from e2edebug_schema.queries.session_statistics import WorkflowCounts, merged_counts, workflow_counts
from e2edebug_schema.tables import SESSION_STATUSES

STEPS_SHOWN = 200
ERRORS_SHOWN = 50
REFERENCE = "Its id, its correlation id, or the id of one of its traces."


class WorkflowSessionDetailSerializer(serializers.WorkflowSessionSerializer):
    """One workflow with its steps; null is what the user may not see."""

    trace_steps = serializers.TraceStepSerializer(many=True, allow_null=True, help_text="The first 200 by start.")
    trace_steps_next = drf.URLField(allow_null=True, help_text="The steps after these; null when these are all.")
    error_logs = serializers.ErrorLogListSerializer(many=True, allow_null=True, help_text="The first 50.")

    class Meta(serializers.WorkflowSessionSerializer.Meta):
        fields = [*serializers.WorkflowSessionSerializer.Meta.fields, "trace_steps", "trace_steps_next", "error_logs"]
        read_only_fields = fields


@extend_schema_view(
    list=described(description="Workflows, newest first."),
    retrieve=described(responses=WorkflowSessionDetailSerializer, description="One workflow with its steps."),
)
class WorkflowSessionViewSet(Collection):
    """Workflows from their first request to their last."""

    model = models.WorkflowSession
    queryset = models.WorkflowSession.objects.none()
    permission_models = (models.WorkflowSession,)
    verbs = {"create": "add", "complete": "change", "fail": "change"}
    personal_parameters = frozenset({"user_id", "user_label"})
    serializer_class = serializers.WorkflowSessionSerializer
    filterset_class = SessionFilterSet
    orderings = {"start_time": "start_time", "duration_ms": "duration_ms"}
    reference_description = REFERENCE

    def accepted_parameters(self) -> set[str]:
        """The statistics take a span of time."""
        return {"since", "until"} if self.action == "stats" else super().accepted_parameters()

    def retrieve(self, request: Any, pk: str) -> Response:
        """Return one workflow with its steps and errors, as far as the user may see them."""
        session = find_session(pk)
        steps = errors = next_steps = None
        if may_view(request.user, models.TraceStep):
            found = steps_by_start(session)[: STEPS_SHOWN + 1]
            steps = list(found)
            if len(steps) > STEPS_SHOWN:
                steps = steps[:STEPS_SHOWN]
                next_steps = _next_steps(request, session, steps[-1])
        if may_view(request.user, models.ErrorLog):
            errors = list(
                models.ErrorLog.objects.filter(correlation_id=session.correlation_id)
                .defer("stack_trace")
                .order_by("timestamp", "id")[:ERRORS_SHOWN]
            )
        context = self.get_serializer_context()
        data = serializers.WorkflowSessionSerializer(session, context=context).data
        data["trace_steps"] = (
            None if steps is None else serializers.TraceStepSerializer(steps, many=True, context=context).data
        )
        data["trace_steps_next"] = next_steps
        data["error_logs"] = (
            None if errors is None else serializers.ErrorLogListSerializer(errors, many=True, context=context).data
        )
        return Response(data)

    @described(
        request=serializers.NewWorkflowSessionSerializer,
        responses={201: serializers.WorkflowSessionSerializer, 200: serializers.WorkflowSessionSerializer},
        description="Start a workflow. With the correlation id of one that is known, that one answers (200).",
    )
    def create(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Start a workflow."""
        session, is_new = start_session(self.validated(serializers.NewWorkflowSessionSerializer))
        return self.shown(session, is_new=is_new)

    @described(
        request=serializers.CompletionSerializer,
        responses=serializers.WorkflowSessionSerializer,
        description="End a workflow as completed, whatever its steps say. Again changes nothing; failed by hand: 409.",
    )
    @action(detail=True, methods=["post"])
    def complete(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """End a workflow well."""
        values = self.validated(serializers.CompletionSerializer)
        return self.shown(end_session(find_session(pk), "completed", metadata=values.get("metadata")))

    @described(
        request=serializers.FailureSerializer,
        responses=serializers.WorkflowSessionSerializer,
        description="End a workflow as failed, whatever its steps say. Again changes nothing; completed by hand: 409.",
    )
    @action(detail=True, methods=["post"])
    def fail(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """End a workflow badly."""
        values = self.validated(serializers.FailureSerializer)
        session = end_session(
            find_session(pk), "failed", metadata=values.get("metadata"), error=values.get("error", "failed")
        )
        return self.shown(session)

    @described(
        responses=WorkflowStatsSerializer,
        parameters=[
            OpenApiParameter("since", {"type": "string", "format": "date-time"}, description="Default: 24 hours ago."),
            OpenApiParameter("until", {"type": "string", "format": "date-time"}, description="Default: now."),
        ],
        filters=False,
        description=(
            "How workflows went, of the last 24 hours unless asked otherwise, 31 days at most. Hours that are over for "
            "two hours may be up to five minutes old."
        ),
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def stats(self, request: Any) -> Response:
        """Count workflows by type and status."""
        since, until = within_limits(*read_range(request))

        def count(start: datetime, end: datetime) -> list[WorkflowCounts]:
            with store_for_reading() as connection:
                return workflow_counts(connection, since=start, until=end)

        by_type = merged_counts(counts_of_hours("sessions", since=since, until=until, count=count))
        total = WorkflowCounts(workflow_type="")
        for counts in by_type:
            total.merge(counts)
        return Response(
            {
                "range": {"since": shown_moment(since), "until": shown_moment(until)},
                "total": _shown_counts(total),
                "by_type": [{"workflow_type": one.workflow_type, **_shown_counts(one)} for one in by_type],
            }
        )


def steps_by_start(session: models.WorkflowSession) -> Any:
    """Return the steps of *session*; its start spares the server a look into the partitions of the days before."""
    return models.TraceStep.objects.filter(
        correlation_id=session.correlation_id, start_time__gte=session.start_time
    ).order_by("start_time", "id")


def _next_steps(request: Any, session: models.WorkflowSession, last: models.TraceStep) -> str:
    place = Place("start_time", last.start_time, last.id, is_backward=False)
    query = urlencode(
        {"correlation_id": session.correlation_id, "ordering": "start_time", "page_size": 500, "cursor": encoded(place)}
    )
    address = reverse(
        f"{request.resolver_match.namespace}:trace-step-list", current_app=request.resolver_match.namespace
    )
    return str(request.build_absolute_uri(f"{address}?{query}"))


def _shown_counts(counts: WorkflowCounts) -> dict[str, Any]:
    ended = sum(counts.by_status.get(status, 0) for status in SESSION_STATUSES if status != "in_progress")
    durations = counts.durations
    return {
        "count": counts.count,
        "by_status": {status: counts.by_status.get(status, 0) for status in SESSION_STATUSES},
        "with_errors": counts.with_errors,
        "success_rate": 100.0 * counts.by_status.get("completed", 0) / ended if ended else None,
        "duration_ms": {
            "mean": counts.mean_ms,
            "min": durations.minimum,
            "max": durations.maximum,
            "p50": durations.percentile(50),
            "p95": durations.percentile(95),
            "p99": durations.percentile(99),
        },
    }
