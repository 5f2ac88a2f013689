"""`debug-configurations/` and `performance-thresholds/`: what an operator changes while everything runs."""

from typing import Any

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema_view
from rest_framework import status
from rest_framework.response import Response

from e2edebug.django import models
from e2edebug.django.api import settings_serializers
from e2edebug.django.api.filters import ConfigurationFilterSet, ThresholdFilterSet
from e2edebug.django.api.lookup import find_by_number
from e2edebug.django.api.openapi import described
from e2edebug.django.api.views.collection import Collection
from e2edebug.django.store_alias import alias_of_store


class _Editable(Collection):
    input_class: Any = None

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one."""
        return self.shown(find_by_number(self.get_queryset(), pk))

    def create(self, request: Any) -> Response:  # noqa: ARG002  # the signature of an action
        """Make one."""
        return self.shown(self._saved(self.model(), self.validated(self.input_class)), is_new=True)

    def update(self, request: Any, pk: str) -> Response:
        """Replace one: what is left out gets its default."""
        row = find_by_number(self.get_queryset(), pk)
        values = self._checked(row, request.data, partial=False)
        defaults = {
            name: self.model._meta.get_field(name).get_default()
            for name, field in self.input_class().fields.items()
            if not field.required
        }
        return self.shown(self._saved(row, defaults | values))

    def partial_update(self, request: Any, pk: str) -> Response:
        """Change some fields of one."""
        row = find_by_number(self.get_queryset(), pk)
        return self.shown(self._saved(row, self._checked(row, request.data, partial=True)))

    def destroy(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Remove one."""
        find_by_number(self.get_queryset(), pk).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _checked(self, row: Any, data: Any, *, partial: bool) -> dict[str, Any]:
        serializer = self.input_class(row, data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _saved(self, row: Any, values: dict[str, Any]) -> Any:
        for name, value in values.items():
            setattr(row, name, value)
        try:
            with transaction.atomic(using=alias_of_store()):
                row.save()
        except IntegrityError:
            raise settings_serializers.AlreadyThere from None
        row.refresh_from_db()
        return row


def _described(noun: str, shown: Any, given: Any) -> Any:
    return extend_schema_view(
        list=described(description=f"Every {noun}."),
        retrieve=described(description=f"One {noun}."),
        create=described(request=given, responses={201: shown}, description=f"Make a {noun}."),
        update=described(
            request=given, responses=shown, description=f"Replace a {noun}; what is left out gets its default."
        ),
        partial_update=described(request=given, responses=shown, description=f"Change some fields of a {noun}."),
        destroy=described(description=f"Remove a {noun}."),
    )


@_described(
    "configuration",
    settings_serializers.DebugConfigurationSerializer,
    settings_serializers.ConfigurationInputSerializer,
)
class DebugConfigurationViewSet(_Editable):
    """Rows that win over the environment, picked up by running processes within seconds."""

    model = models.DebugConfiguration
    queryset = models.DebugConfiguration.objects.none()
    permission_models = (models.DebugConfiguration,)
    serializer_class = settings_serializers.DebugConfigurationSerializer
    input_class = settings_serializers.ConfigurationInputSerializer
    filterset_class = ConfigurationFilterSet
    orderings = {"id": "id", "name": "name", "updated_at": "updated_at"}


@_described(
    "threshold",
    settings_serializers.PerformanceThresholdSerializer,
    settings_serializers.ThresholdInputSerializer,
)
class PerformanceThresholdViewSet(_Editable):
    """Limits of metrics. The built-in ones hold until a row takes their place."""

    model = models.PerformanceThreshold
    queryset = models.PerformanceThreshold.objects.none()
    permission_models = (models.PerformanceThreshold,)
    serializer_class = settings_serializers.PerformanceThresholdSerializer
    input_class = settings_serializers.ThresholdInputSerializer
    filterset_class = ThresholdFilterSet
    orderings = {"id": "id", "updated_at": "updated_at"}
