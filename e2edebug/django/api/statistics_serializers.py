"""The shapes of answers that are counted, not stored: statistics, summaries, series, alerts and health."""

from rest_framework import serializers

from e2edebug.django.api.fields import MomentField
from e2edebug.django.api.serializers import ErrorLogListSerializer, WorkflowSessionSerializer
from e2edebug_schema.tables import GROUP_STATUSES, LAYERS, SESSION_STATUSES, SEVERITIES


class RangeSerializer(serializers.Serializer):
    """The span of time that was looked at."""

    since = MomentField()
    until = MomentField()


class StatusCountsSerializer(serializers.Serializer):
    """Workflows by status."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """One field for each status."""
        return {status: serializers.IntegerField() for status in SESSION_STATUSES}


class DurationSerializer(serializers.Serializer):
    """Percentiles are those of a histogram with buckets of 9 %."""

    mean = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class WorkflowCountsSerializer(serializers.Serializer):
    """Workflows and how they went."""

    count = serializers.IntegerField()
    by_status = StatusCountsSerializer()
    with_errors = serializers.IntegerField()
    success_rate = serializers.FloatField(allow_null=True, help_text="Completed, in percent of those that ended.")
    duration_ms = DurationSerializer()


class WorkflowTypeCountsSerializer(WorkflowCountsSerializer):
    """The workflows of one type."""

    workflow_type = serializers.CharField()


class WorkflowStatsSerializer(serializers.Serializer):
    """`workflow-sessions/stats/`."""

    range = RangeSerializer()
    total = WorkflowCountsSerializer()
    by_type = WorkflowTypeCountsSerializer(many=True)


class LayerCountsSerializer(serializers.Serializer):
    def get_fields(self) -> dict[str, serializers.Field]:
        return {layer: serializers.IntegerField() for layer in LAYERS}


class SeverityCountsSerializer(serializers.Serializer):
    def get_fields(self) -> dict[str, serializers.Field]:
        return {severity: serializers.IntegerField() for severity in SEVERITIES}


class GroupCountsSerializer(serializers.Serializer):
    def get_fields(self) -> dict[str, serializers.Field]:
        return {status: serializers.IntegerField() for status in GROUP_STATUSES}


class ErrorTypeCountSerializer(serializers.Serializer):
    error_type = serializers.CharField()
    count = serializers.IntegerField()


class ComponentCountSerializer(serializers.Serializer):
    layer = serializers.CharField()
    component = serializers.CharField()
    count = serializers.IntegerField()


class ErrorSummarySerializer(serializers.Serializer):
    """`error-logs/summary/`."""

    range = RangeSerializer()
    total = serializers.IntegerField()
    unresolved = serializers.IntegerField()
    resolved = serializers.IntegerField()
    by_severity = SeverityCountsSerializer()
    by_layer = LayerCountsSerializer()
    by_type = ErrorTypeCountSerializer(many=True, help_text="The 20 most frequent.")
    by_component = ComponentCountSerializer(many=True, help_text="The 20 with the most errors.")
    groups = GroupCountsSerializer(help_text="Groups that were seen, by status.")


class AlertSerializer(serializers.Serializer):
    """A limit that is passed now."""

    level = serializers.ChoiceField(["warning", "critical"])
    layer = serializers.CharField()
    component = serializers.CharField()
    metric_name = serializers.CharField()
    value = serializers.FloatField()
    threshold = serializers.FloatField()
    correlation_id = serializers.CharField(allow_null=True)


class AlertListSerializer(serializers.Serializer):
    """`performance-snapshots/alerts/`."""

    generated_at = MomentField()
    count = serializers.IntegerField()
    results = AlertSerializer(many=True, help_text="Critical ones first.")


class SeriesTotalSerializer(serializers.Serializer):
    """All values of a span of time."""

    since = MomentField()
    until = MomentField()
    count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)
    worst_correlation_id = serializers.CharField(allow_null=True)


class SeriesPointSerializer(serializers.Serializer):
    """One period."""

    period_start = MomentField()
    count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)
    worst_correlation_id = serializers.CharField(allow_null=True)


class SeriesChangeSerializer(serializers.Serializer):
    count = serializers.FloatField(allow_null=True)
    error_count = serializers.FloatField(allow_null=True)
    mean = serializers.FloatField(allow_null=True)
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class ReleaseMarkSerializer(serializers.Serializer):
    """A version that was new."""

    timestamp = MomentField()
    service = serializers.CharField(allow_blank=True)
    release = serializers.CharField()


class MetricSeriesSerializer(serializers.Serializer):
    """`performance-snapshots/series/`."""

    layer = serializers.CharField()
    component = serializers.CharField(allow_null=True, help_text="null: all components together.")
    metric_name = serializers.CharField()
    unit = serializers.CharField()
    period_s = serializers.IntegerField()
    points = SeriesPointSerializer(many=True, help_text="Periods without values are left out.")
    current = SeriesTotalSerializer()
    previous = SeriesTotalSerializer(help_text="The same length of time before.")
    change_pct = SeriesChangeSerializer(
        help_text="Of `current` against `previous`; null where there was nothing before."
    )
    releases = ReleaseMarkSerializer(
        many=True, help_text="Versions that an evaluator first saw meanwhile, oldest first."
    )


class LayerHealthSerializer(serializers.Serializer):
    layer = serializers.ChoiceField(LAYERS)
    status = serializers.ChoiceField(["ok", "warning", "critical", "no_data"])
    operations = serializers.IntegerField(allow_null=True, help_text="Within the window; null without permission.")
    error_rate_pct = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    errors_last_hour = serializers.IntegerField(allow_null=True)


class ActiveWorkflowsSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="Started within a day; counted up to 10,000.")
    newest = WorkflowSessionSerializer(many=True)


class RecentErrorsSerializer(serializers.Serializer):
    last_hour = serializers.IntegerField(help_text="Counted up to 10,000.")
    newest = ErrorLogListSerializer(many=True)


class StoreHealthSerializer(serializers.Serializer):
    status = serializers.ChoiceField(["ok", "warning"])
    dialect = serializers.CharField()
    answer_ms = serializers.FloatField()
    stored = serializers.IntegerField(help_text="Rows that this process has written.")
    queued = serializers.IntegerField()
    dropped = serializers.IntegerField()
    is_away = serializers.BooleanField(help_text="The writer of this process cannot reach it.")
    last_error = serializers.CharField(allow_null=True)


class SystemHealthSerializer(serializers.Serializer):
    """`system-health/`. What the caller may not see is null."""

    status = serializers.ChoiceField(["ok", "warning", "critical"])
    generated_at = MomentField()
    window_s = serializers.IntegerField()
    layers = LayerHealthSerializer(many=True)
    active_workflows = ActiveWorkflowsSerializer(allow_null=True)
    recent_errors = RecentErrorsSerializer(allow_null=True)
    alerts = AlertSerializer(many=True, allow_null=True)
    store = StoreHealthSerializer()


class ProbeSerializer(serializers.Serializer):
    """`health/live/` and `health/ready/`."""

    status = serializers.ChoiceField(["ok", "unavailable"])
