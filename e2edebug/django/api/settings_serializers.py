"""What an operator changes through the API: thresholds and configuration rows, checked as the admin checks them."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import APIException

from e2edebug.django import models
from e2edebug.django.api.fields import (
    FiniteFloatField,
    MetadataField,
    MomentField,
    NameField,
    StrictBooleanField,
    StrictIntegerField,
    StrictTextField,
)
from e2edebug.django.api.serializers import StrictSerializer
from e2edebug.policy.config_values import Kind
from e2edebug.policy.configuration_types import (
    ALERT_LEVELS,
    CONFIGURATION_TYPES,
    GROUPINGS,
    PATTERNS_OF_KINDS,
    WEEKDAYS,
    ConfigurationDataError,
    validate_configuration,
)
from e2edebug_schema.tables import LAYERS, SEVERITIES
from e2edebug_schema.thresholds import AGGREGATIONS

LARGEST_LIMIT: Final = 1e12


class AlreadyThere(APIException):
    """409."""

    status_code = 409
    default_detail = "Somebody else has just made it."
    default_code = "already_there"


def _schema_of(kind: Kind) -> dict[str, Any]:
    """Describe a field to OpenAPI, as exactly as its kind can be told; null inherits from the environment."""
    if kind.name == "severity":
        return {"enum": [*SEVERITIES, None]}
    choices = {"level": ALERT_LEVELS, "grouping": GROUPINGS}.get(kind.name)
    if choices is not None:
        return {"enum": [*choices, None]}
    members = {"layers": LAYERS, "weekdays": WEEKDAYS}.get(kind.name)
    if members is not None:
        return {"type": ["array", "null"], "items": {"enum": [*members]}}
    if kind.name in PATTERNS_OF_KINDS:
        return {"type": ["string", "null"], "pattern": f"^{PATTERNS_OF_KINDS[kind.name]}$"}
    if kind.name == "boolean":
        return {"type": ["boolean", "null"]}
    if kind.name == "integer":
        return {"type": ["integer", "null"], "minimum": 1}
    if kind.name == "number from 0 to 1":
        return {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    if kind.name == "number":
        return {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": LARGEST_LIMIT}
    return {"type": ["array", "string", "null"], "items": {"type": "string"}}


class DebugConfigurationSerializer(serializers.ModelSerializer):
    """One row of configuration as it is stored."""

    config_data = MetadataField(read_only=True, allow_null=True, help_text="null: inherited from the environment.")
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = models.DebugConfiguration
        fields = ["id", "name", "config_type", "enabled", "config_data", "description", "created_at", "updated_at"]
        read_only_fields = fields


@extend_schema_field({"type": "object", "additionalProperties": {}})
class ConfigurationDataField(MetadataField):
    """The fields of its type; null inherits everything."""


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Record a tenth of the traces",
            {"name": "tracing", "config_type": "tracing", "config_data": {"sample_ratio": 0.1}},
            request_only=True,
        )
    ]
)
class ConfigurationInputSerializer(StrictSerializer):
    """Makes or changes a row of configuration."""

    name = NameField(max_length=100)
    config_type = serializers.ChoiceField(list(CONFIGURATION_TYPES))
    enabled = StrictBooleanField(required=False)
    config_data = ConfigurationDataField(required=False, allow_null=True)
    description = StrictTextField(max_length=8192, required=False, allow_null=True, allow_blank=True)

    def validate_name(self, name: str) -> str:
        """A name belongs to one row."""
        others = models.DebugConfiguration.objects.filter(name=name)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise AlreadyThere({"name": ["There is a configuration of this name."]})
        return name

    def adjust_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Say which fields the data of each type has."""
        strict = super().adjust_schema(schema)
        variants = []
        for known in CONFIGURATION_TYPES.values():
            fields = {field.name: _schema_of(field.kind) for field in known.fields}
            data = {"type": ["object", "null"], "additionalProperties": False, "properties": fields}
            of_type = {"config_type": {"type": "string", "const": known.name}, "config_data": data}
            required = sorted({*strict.get("required", []), "config_type"})
            variants.append({**strict, "properties": {**strict["properties"], **of_type}, "required": required})
        if "config_type" not in strict.get("required", []):  # PATCH
            others = {name: field for name, field in strict["properties"].items() if not name.startswith("config_")}
            variants.append({**strict, "properties": others})
        return {**schema, "oneOf": variants}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The data has the fields of its type, which stands beside it: a row changes its meaning with its type."""
        if ("config_data" in attrs) and "config_type" not in attrs:
            raise serializers.ValidationError({"config_type": ["Needed beside config_data."]})
        of_type = attrs.get("config_type") or getattr(self.instance, "config_type", None)
        data = attrs.get("config_data", getattr(self.instance, "config_data", None))
        try:
            validate_configuration(of_type, data)
        except ConfigurationDataError as error:
            raise serializers.ValidationError(
                {"config_data": {name or "config_data": [text] for name, text in error.problems.items()}}
            ) from None
        return attrs


@extend_schema_field({"type": ["string", "null"], "maxLength": 150})
class ComponentField(serializers.Field):
    """null: each component of the layer, which the store keeps as ''."""

    def to_internal_value(self, data: Any) -> str:
        """Return the component."""
        return NameField(max_length=150).run_validation(data) if data != "" else ""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Take null for ''."""
        return (True, "") if data is None else super().validate_empty_values(data)

    def to_representation(self, value: str) -> str | None:
        """Show '' as null."""
        return value or None


class PerformanceThresholdSerializer(serializers.ModelSerializer):
    """Two limits of one metric."""

    component = ComponentField(read_only=True)
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = models.PerformanceThreshold
        fields = [
            "id", "metric_name", "layer", "component", "warning_threshold", "critical_threshold", "enabled",
            "alert_on_warning", "alert_on_critical", "aggregation", "window_s", "pending_s", "recovery_margin_pct",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A slower view",
            {
                "layer": "api", "metric_name": "response_time", "component": "ReportViewSet",
                "warning_threshold": 3000, "critical_threshold": 8000,
            },
            request_only=True,
        )
    ]
)  # fmt: skip
class ThresholdInputSerializer(StrictSerializer):
    """Makes or changes a threshold."""

    layer = serializers.ChoiceField(LAYERS)
    metric_name = NameField(max_length=100)
    component = ComponentField(required=False, help_text="null or left out: each component of the layer.")
    warning_threshold = FiniteFloatField(min_value=-LARGEST_LIMIT, max_value=LARGEST_LIMIT)
    critical_threshold = FiniteFloatField(
        min_value=-LARGEST_LIMIT, max_value=LARGEST_LIMIT, help_text="Below the warning: lower is worse."
    )
    enabled = StrictBooleanField(required=False)
    alert_on_warning = StrictBooleanField(required=False)
    alert_on_critical = StrictBooleanField(required=False)
    aggregation = serializers.ChoiceField(AGGREGATIONS, required=False)
    window_s = StrictIntegerField(min_value=10, max_value=86_400, required=False)
    pending_s = StrictIntegerField(min_value=0, max_value=86_400, required=False)
    recovery_margin_pct = FiniteFloatField(min_value=0, max_value=100, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """There is one threshold for each layer, metric and component."""
        target = {
            name: attrs.get(name, getattr(self.instance, name, "")) for name in ("layer", "metric_name", "component")
        }
        others = models.PerformanceThreshold.objects.filter(**target)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if others.exists():
            raise AlreadyThere({"component": ["There is a threshold for this layer, metric and component."]})
        return attrs
