"""Rows as the API shows them, and what it takes to make one. Requests are checked strictly, answers shown as stored."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from e2edebug.django import models
from e2edebug.django.api.fields import (
    AddressField,
    CorrelationIdField,
    FiniteFloatField,
    MetadataField,
    MomentField,
    NameField,
    PersonalField,
    SpanIdField,
    StrictBooleanField,
    StrictTextField,
    TraceIdField,
)
from e2edebug.policy.error_class.registry import advice_on
from e2edebug_schema.tables import LAYERS, SESSION_STATUSES, SEVERITIES, STEP_STATUSES

LONGEST_STEP: Final = timedelta(days=366)


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know: a misspelt one would silently be lost."""

    def adjust_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Say so in the OpenAPI document."""
        return {**schema, "additionalProperties": False}

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                accepted = ", ".join(name for name, field in self.fields.items() if not field.read_only)
                raise serializers.ValidationError(
                    {name: [f"Unknown; accepted here: {accepted or 'none'}."] for name in unknown}
                )
        return super().to_internal_value(data)


class WorstRepetitionSerializer(serializers.Serializer):
    count = serializers.IntegerField(source="repeat_count")
    digest = serializers.CharField(source="repeat_digest", allow_null=True)
    statement = serializers.CharField(source="repeat_statement", allow_null=True)


class SlowestStepSerializer(serializers.Serializer):
    name = serializers.CharField(source="slowest_step", allow_null=True)
    duration_ms = serializers.FloatField(source="slowest_ms", allow_null=True)


class SessionSummarySerializer(serializers.Serializer):
    """What the steps of a workflow come to, kept as they arrive."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """The fields; one of them has a name that a serializer uses itself."""
        return {
            "steps": serializers.IntegerField(source="step_count"),
            "queries": serializers.IntegerField(source="query_count"),
            "errors": serializers.IntegerField(source="error_count"),
            "worst_repetition": WorstRepetitionSerializer(source="*"),
            "slowest_step": SlowestStepSerializer(source="*"),
        }


class WorkflowSessionSerializer(serializers.ModelSerializer):
    """One workflow."""

    user_id = PersonalField(read_only=True, allow_null=True)
    user_label = PersonalField(read_only=True, allow_null=True)
    session_key = PersonalField(read_only=True, allow_null=True)
    start_time = MomentField(read_only=True)
    end_time = MomentField(read_only=True, allow_null=True)
    summary = SessionSummarySerializer(source="*", read_only=True)
    metadata = MetadataField(read_only=True)

    class Meta:
        model = models.WorkflowSession
        fields = [
            "id", "correlation_id", "workflow_type", "user_id", "user_label", "session_key", "trace_id",
            "parent_correlation_id", "root_operation", "service", "service_release", "start_time", "end_time",
            "duration_ms", "status", "summary", "metadata",
        ]  # fmt: skip
        read_only_fields = fields


class TraceStepSerializer(serializers.ModelSerializer):
    """One step of a workflow."""

    start_time = MomentField(read_only=True)
    end_time = MomentField(read_only=True, allow_null=True)
    metadata = MetadataField(read_only=True)

    class Meta:
        model = models.TraceStep
        fields = [
            "id", "correlation_id", "trace_id", "span_id", "parent_span_id", "layer", "component", "operation", "kind",
            "service", "start_time", "end_time", "duration_ms", "status", "status_message", "statement",
            "statement_digest", "code_location", "metadata",
        ]  # fmt: skip
        read_only_fields = fields


class PerformanceSnapshotSerializer(serializers.ModelSerializer):
    """One metric of one component over an interval, or one recorded value."""

    timestamp = MomentField(read_only=True)
    buckets = serializers.SerializerMethodField()
    metadata = MetadataField(read_only=True)

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
    def get_buckets(self, row: models.PerformanceSnapshot) -> Any:
        """The histogram: `s` scale, `z` zeros, `b` pairs of bucket and count; null for a single value."""
        return row.buckets if isinstance(row.buckets, dict) else None

    class Meta:
        model = models.PerformanceSnapshot
        fields = [
            "id", "event_key", "correlation_id", "trace_id", "timestamp", "interval_s", "service", "service_instance",
            "layer", "component", "metric_name", "metric_kind", "metric_value", "unit", "count", "sum", "min", "max",
            "p50", "p95", "p99", "error_count", "buckets", "threshold_warning", "threshold_critical", "metadata",
        ]  # fmt: skip
        read_only_fields = fields


class ErrorLogListSerializer(serializers.ModelSerializer):
    """One error; the list leaves the stack trace to the single error."""

    timestamp = MomentField(read_only=True)
    resolved_at = MomentField(read_only=True, allow_null=True)
    user_id = PersonalField(read_only=True, allow_null=True)
    user_agent = PersonalField(read_only=True, allow_null=True)
    ip_address = PersonalField(read_only=True, allow_null=True)
    metadata = MetadataField(read_only=True)

    class Meta:
        model = models.ErrorLog
        fields = [
            "id", "event_key", "correlation_id", "trace_id", "span_id", "timestamp", "layer", "component", "severity",
            "error_type", "error_message", "fingerprint", "fingerprint_version", "user_id", "request_path",
            "request_method", "user_agent", "ip_address", "resolved", "resolution_notes", "resolved_at", "resolved_by",
            "service", "service_release", "metadata", "error_class",
        ]  # fmt: skip
        read_only_fields = fields


class ErrorLogSerializer(ErrorLogListSerializer):
    """One error with its stack trace."""

    suggestion = serializers.SerializerMethodField()

    def get_suggestion(self, row: models.ErrorLog) -> str:
        """What to do about it, by its class and what it says itself."""
        return advice_on(row).suggestion

    class Meta(ErrorLogListSerializer.Meta):
        fields = [*ErrorLogListSerializer.Meta.fields, "stack_trace", "suggestion"]
        read_only_fields = fields


class ErrorGroupSerializer(serializers.ModelSerializer):
    """All errors of one cause."""

    first_seen = MomentField(read_only=True)
    last_seen = MomentField(read_only=True)
    suggestion = serializers.SerializerMethodField()

    def get_suggestion(self, row: models.ErrorGroup) -> str:
        """What to do about errors of this class."""
        return advice_on(row).suggestion

    class Meta:
        model = models.ErrorGroup
        fields = [
            "id", "fingerprint", "fingerprint_version", "title", "error_type", "layer", "component", "first_seen",
            "last_seen", "first_release", "last_release", "occurrences", "status", "resolution_notes", "error_class",
            "suggestion",
        ]  # fmt: skip
        read_only_fields = fields


class ErrorGroupChangeSerializer(serializers.ModelSerializer):
    """Who decided what about a group, or when it regressed ('' is the writer)."""

    changed_at = MomentField(read_only=True)

    class Meta:
        model = models.ErrorGroupChange
        fields = ["changed_at", "old_status", "new_status", "changed_by", "service_release", "notes"]
        read_only_fields = fields


class ErrorGroupDetailSerializer(ErrorGroupSerializer):
    """A group with what became of it, newest first."""

    changes = serializers.SerializerMethodField()

    @extend_schema_field(ErrorGroupChangeSerializer(many=True))
    def get_changes(self, group: models.ErrorGroup) -> Any:
        """The last 100 changes."""
        found = models.ErrorGroupChange.objects.filter(
            fingerprint=group.fingerprint, fingerprint_version=group.fingerprint_version
        ).order_by("-changed_at", "-id")[:100]
        return ErrorGroupChangeSerializer(found, many=True).data

    class Meta(ErrorGroupSerializer.Meta):
        fields = [*ErrorGroupSerializer.Meta.fields, "changes"]
        read_only_fields = fields


# --- What makes a row -------------------------------------------------------------------------------------------------


class _Recorded(StrictSerializer):
    service = NameField(max_length=100, required=False, help_text="Default: the service that serves this API.")
    service_release = NameField(max_length=64, required=False)
    metadata = MetadataField(required=False)


@extend_schema_serializer(
    examples=[OpenApiExample("A login", {"workflow_type": "login", "metadata": {"source": "cron"}}, request_only=True)]
)
class NewWorkflowSessionSerializer(_Recorded):
    """Starts a workflow."""

    workflow_type = NameField(max_length=100)
    correlation_id = CorrelationIdField(required=False, help_text="Default: a new UUID. Known: that session answers.")
    trace_id = TraceIdField(required=False)
    parent_correlation_id = CorrelationIdField(required=False)
    user_id = NameField(max_length=64, required=False)
    user_label = NameField(max_length=150, required=False)
    start_time = MomentField(required=False, help_text="Default: now.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A step",
            {
                "correlation_id": "3f2a8c1e-0000-4000-8000-000000000001", "layer": "api",
                "component": "AuthViewSet", "operation": "authenticate",
            },
            request_only=True,
        )
    ]
)  # fmt: skip
class NewTraceStepSerializer(_Recorded):
    """Adds a step to a workflow: running (`started`), or one that is over."""

    correlation_id = CorrelationIdField(help_text="The workflow's; it need not be known yet.")
    layer = serializers.ChoiceField(LAYERS)
    component = NameField(max_length=150)
    operation = NameField(max_length=255)
    status = serializers.ChoiceField(
        STEP_STATUSES, required=False, help_text="Default: `started`, with a duration `completed`."
    )
    status_message = StrictTextField(max_length=1024, required=False)
    trace_id = TraceIdField(required=False, help_text="Default: the workflow's.")
    span_id = SpanIdField(required=False, help_text="Default: a new one. Together with trace and start it is the step.")
    parent_span_id = SpanIdField(required=False, help_text="Default: the workflow's own span.")
    statement = StrictTextField(max_length=65_536, required=False, help_text="SQL; its values are masked.")
    start_time = MomentField(required=False, help_text="Default: now, less the duration.")
    duration_ms = FiniteFloatField(min_value=0, max_value=3.1e10, required=False)

    def adjust_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Say which status has a duration."""
        strict = super().adjust_schema(schema)
        fields, required = strict["properties"], strict["required"]
        running = {name: field for name, field in fields.items() if name != "duration_ms"}
        ended = [status for status in STEP_STATUSES if status != "started"]
        return {
            **schema,
            "oneOf": [
                {**strict, "properties": {**running, "status": {"type": "string", "const": "started"}}},
                {
                    **strict,
                    "properties": {**fields, "status": {"type": "string", "enum": ended}},
                    "required": [*required, "duration_ms"],
                },
            ],
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A running step has no duration yet, and one that is over has one."""
        has_ended = "duration_ms" in attrs
        status = attrs.setdefault("status", "completed" if has_ended else "started")
        if (status == "started") is has_ended:
            problem = "A started step has none yet." if has_ended else f"Needed for a step that is {status}."
            raise serializers.ValidationError({"duration_ms": [problem]})
        return attrs


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A response time",
            {"layer": "api", "component": "ProductViewSet", "metric_name": "response_time", "metric_value": 150.0},
            request_only=True,
        )
    ]
)
class NewPerformanceSnapshotSerializer(_Recorded):
    """Records one value."""

    layer = serializers.ChoiceField(LAYERS)
    component = NameField(max_length=150)
    metric_name = NameField(max_length=100)
    metric_value = FiniteFloatField()
    unit = NameField(max_length=16, required=False, help_text="Known for the usual metrics.")
    correlation_id = CorrelationIdField(required=False)
    trace_id = TraceIdField(required=False)
    timestamp = MomentField(required=False, help_text="Default: now.")
    threshold_warning = FiniteFloatField(required=False)
    threshold_critical = FiniteFloatField(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "An error",
            {
                "layer": "api", "component": "ProductViewSet", "error_type": "ValidationError",
                "error_message": "Invalid product data",
            },
            request_only=True,
        )
    ]
)  # fmt: skip
class NewErrorLogSerializer(_Recorded):
    """Logs an error."""

    layer = serializers.ChoiceField(LAYERS)
    component = NameField(max_length=150)
    error_type = NameField(max_length=255)
    error_message = StrictTextField(max_length=8192, allow_blank=True)
    severity = serializers.ChoiceField(SEVERITIES, required=False, help_text="Default: `error`.")
    stack_trace = StrictTextField(max_length=262_144, required=False, allow_blank=True)
    correlation_id = CorrelationIdField(required=False)
    trace_id = TraceIdField(required=False)
    span_id = SpanIdField(required=False)
    timestamp = MomentField(required=False, help_text="Default: now.")
    user_id = NameField(max_length=64, required=False)
    request_path = NameField(max_length=1024, required=False)
    request_method = NameField(max_length=16, required=False)
    user_agent = StrictTextField(max_length=512, required=False)
    ip_address = AddressField(required=False, help_text="Kept where E2EDEBUG_CAPTURE_CLIENT_ADDRESS says so.")


class CompletionSerializer(StrictSerializer):
    """Ends a workflow or a step well."""

    metadata = MetadataField(required=False, help_text="Merged into what is there.")


class FailureSerializer(CompletionSerializer):
    """Ends a workflow or a step badly."""

    error = StrictTextField(max_length=1024, required=False, help_text="What went wrong, in one line.")


class ResolutionSerializer(StrictSerializer):
    """What is to be remembered of a decision."""

    resolution_notes = StrictTextField(max_length=8000, required=False, allow_blank=True)


class ErrorResolutionSerializer(ResolutionSerializer):
    """Resolves one error, and with `whole_group` its group."""

    whole_group = StrictBooleanField(required=False, default=False)


class GroupResolutionSerializer(ResolutionSerializer):
    """Resolves a group of errors."""

    service_release = NameField(
        max_length=64, required=False, help_text="The last release that has the error. Default: the last one seen."
    )


def ended_at(attrs: dict[str, Any]) -> tuple[datetime, datetime | None]:
    """Return start and end of a new step."""
    duration_ms = attrs.get("duration_ms")
    length = None if duration_ms is None else timedelta(milliseconds=duration_ms)
    start = attrs.get("start_time") or datetime.now(UTC) - (length or timedelta())
    return start, None if length is None else start + length


SESSION_STATUS_NAMES: Final = SESSION_STATUSES
