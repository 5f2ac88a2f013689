"""Alerts as the API shows them, and what it takes to act on one."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from e2edebug.django import models
from e2edebug.django.api.fields import MomentField

LONGEST_SNOOZE = timedelta(days=30)


class AlertEntrySerializer(serializers.ModelSerializer):
    """An alert."""

    threshold_id = serializers.IntegerField(read_only=True, allow_null=True)
    started_at = MomentField(read_only=True)
    last_seen_at = MomentField(read_only=True)
    resolved_at = MomentField(read_only=True, allow_null=True)
    acknowledged_at = MomentField(read_only=True, allow_null=True)
    snoozed_until = MomentField(read_only=True, allow_null=True)

    class Meta:
        model = models.Alert
        fields = [
            "id", "threshold_id", "layer", "component", "metric_name", "level", "state", "value", "limit_value",
            "started_at", "last_seen_at", "resolved_at", "acknowledged_by", "acknowledged_at", "snoozed_until",
            "correlation_id", "recommendation",
        ]  # fmt: skip
        read_only_fields = fields


class AlertEventSerializer(serializers.ModelSerializer):
    """One change of an alert with its evidence; `actor` is '' for the evaluator."""

    occurred_at = MomentField(read_only=True)

    class Meta:
        model = models.AlertEvent
        fields = [
            "id", "occurred_at", "kind", "from_state", "to_state", "level", "value", "limit_value", "window_s", "samples",
            "correlation_id", "actor", "note",
        ]  # fmt: skip
        read_only_fields = fields


class AlertNoteSerializer(serializers.Serializer):
    """Why."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")


class SnoozeSerializer(AlertNoteSerializer):
    """Until when, or for how long; neither ends a snooze."""

    until = MomentField(required=False, allow_null=True, default=None)
    for_s = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=int(LONGEST_SNOOZE.total_seconds())
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with `until` as a moment to come, or None."""
        now = datetime.now(UTC)
        if values["until"] is not None and values["for_s"] is not None:
            raise serializers.ValidationError({"for_s": ["Either until or for_s."]})
        if values["for_s"] is not None:
            values["until"] = now + timedelta(seconds=values["for_s"])
        until = values["until"]
        if until is not None:
            if not now < until <= now + LONGEST_SNOOZE:
                raise serializers.ValidationError({"until": ["A moment within the next 30 days."]})
            values["until"] = until
        return values
