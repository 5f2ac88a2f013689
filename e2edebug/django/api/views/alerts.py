"""`alerts/`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.response import Response
from sqlalchemy import Connection

from e2edebug.alerts.actions import AlertIsOverError, NoSuchAlertError, acknowledge, snooze
from e2edebug.django import models
from e2edebug.django.api.alert_serializers import (
    AlertEntrySerializer,
    AlertEventSerializer,
    AlertNoteSerializer,
    SnoozeSerializer,
)
from e2edebug.django.api.filters import AlertFilterSet
from e2edebug.django.api.lookup import find_by_number
from e2edebug.django.api.openapi import described
from e2edebug.django.api.query_parameters import PAGE_PARAMETERS
from e2edebug.django.api.views.collection import Collection, who
from e2edebug.django.store_engine import store_for_writing


@extend_schema_view(list=described(description="Alerts, the one that began last first."))
class AlertViewSet(Collection):
    """What is over its limit, and what was."""

    model = models.Alert
    queryset = models.Alert.objects.none()
    permission_models = (models.Alert,)
    verbs = {"acknowledge": "change", "snooze": "change"}
    serializer_class = AlertEntrySerializer
    filterset_class = AlertFilterSet
    orderings = {"started_at": "started_at", "last_seen_at": "last_seen_at"}

    def accepted_parameters(self) -> set[str]:
        """The history is a list, too."""
        return set(PAGE_PARAMETERS) if self.action == "history" else super().accepted_parameters()

    def retrieve(self, request: Any, pk: str) -> Response:  # noqa: ARG002  # the signature of an action
        """Return one alert."""
        return self.shown(self._found(pk))

    @described(
        request=AlertNoteSerializer,
        responses=AlertEntrySerializer,
        description="Say that you take care of it: no more reminders, unless it gets worse. Again changes nothing.",
    )
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Any, pk: str) -> Response:
        """Acknowledge an alert."""
        values = self.validated(AlertNoteSerializer)
        by, now = who(request), datetime.now(UTC)
        return self._done(
            pk, lambda connection, number: acknowledge(connection, number, by=by, now=now, note=values["note"])
        )

    @described(
        request=SnoozeSerializer,
        responses=AlertEntrySerializer,
        description="No messages about it until a moment (`until`) or for a while (`for_s`); without either, at once again.",
    )
    @action(detail=True, methods=["post"])
    def snooze(self, request: Any, pk: str) -> Response:
        """Snooze an alert."""
        values = self.validated(SnoozeSerializer)
        by, now = who(request), datetime.now(UTC)
        return self._done(
            pk,
            lambda connection, number: snooze(
                connection, number, until=values["until"], by=by, now=now, note=values["note"]
            ),
        )

    @described(
        responses=AlertEventSerializer(many=True),
        filters=False,
        description="What became of it, newest first: every change with its evidence, and what people did.",
    )
    @action(
        detail=True,
        methods=["get"],
        orderings={"occurred_at": "occurred_at"},
        serializer_class=AlertEventSerializer,
    )
    def history(self, request: Any, pk: str) -> Response:
        """Return the events of an alert."""
        alert = self._found(pk)
        page = self.paginate_queryset(models.AlertEvent.objects.filter(alert_id=alert.pk))
        request.e2edebug_range = None
        rows = AlertEventSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(rows.data)

    def _done(self, reference: str, change: Callable[[Connection, int], object]) -> Response:
        found = self._found(reference)
        try:
            with store_for_writing() as connection:
                change(connection, found.pk)
        except NoSuchAlertError as error:
            raise NotFound from error
        except AlertIsOverError as error:
            raise ValidationError({"detail": ["The alert is over."]}) from error
        return self.shown(self._found(reference))

    def _found(self, reference: str) -> models.Alert:
        found = find_by_number(models.Alert.objects.all(), reference)
        assert isinstance(found, models.Alert)
        return found
