"""`trace-steps/`."""

from typing import Any

from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api import serializers
from e2edebug.django.api.filters import StepFilterSet
from e2edebug.django.api.lookup import find_in_workflow
from e2edebug.django.api.openapi import described
from e2edebug.django.api.session_recording import add_step, end_step
from e2edebug.django.api.views.collection import Collection


@extend_schema_view(list=described(description="Steps, newest first; with `correlation_id` those of one workflow."))
class TraceStepViewSet(Collection):
    """The steps of workflows."""

    model = models.TraceStep
    queryset = models.TraceStep.objects.none()
    permission_models = (models.TraceStep,)
    verbs = {"create": "add", "complete": "change", "fail": "change"}
    serializer_class = serializers.TraceStepSerializer
    filterset_class = StepFilterSet
    orderings = {"start_time": "start_time"}
    reference_description = "Its id; a correlation or trace id means the first step of that workflow or trace."

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one step."""
        return self.shown(self._found(pk, to_change=False))

    @described(
        request=serializers.NewTraceStepSerializer,
        responses={201: serializers.TraceStepSerializer, 200: serializers.TraceStepSerializer},
        description="Add a step. The same trace, span and start again are the same step (200).",
    )
    def create(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Add a step to a workflow."""
        step, is_new = add_step(self.validated(serializers.NewTraceStepSerializer))
        return self.shown(step, is_new=is_new)

    @described(
        request=serializers.CompletionSerializer,
        responses=serializers.TraceStepSerializer,
        description="End a running step. Again changes nothing; ended otherwise: 409.",
    )
    @action(detail=True, methods=["post"])
    def complete(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """End a step well."""
        values = self.validated(serializers.CompletionSerializer)
        return self.shown(end_step(self._found(pk, to_change=True), "completed", metadata=values.get("metadata")))

    @described(
        request=serializers.FailureSerializer,
        responses=serializers.TraceStepSerializer,
        description="End a running step as failed. Again changes nothing; ended otherwise: 409.",
    )
    @action(detail=True, methods=["post"])
    def fail(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """End a step badly."""
        values = self.validated(serializers.FailureSerializer)
        step = self._found(pk, to_change=True)
        return self.shown(
            end_step(step, "failed", metadata=values.get("metadata"), error=values.get("error", "failed"))
        )

    def _found(self, reference: str, *, to_change: bool) -> models.TraceStep:
        found = find_in_workflow(self.get_queryset(), reference, order=("start_time", "id"), to_change=to_change)
        assert isinstance(found, models.TraceStep)
        return found
