"""What an operator edits: thresholds and configurations, each with the checks that the running processes apply."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from e2edebug.django.admin.cells import cut, json_text, layer_chip, moment, number
from e2edebug.django.models import DebugConfiguration, PerformanceThreshold, ThresholdOption
from e2edebug.policy.configuration_types import CONFIGURATION_TYPES, ConfigurationDataError, validate_configuration

_CSS = {"all": ["debugging/admin.css"]}
_AGGREGATIONS = ("p50", "p95", "p99", "mean", "max", "min", "last")
_PERCENTAGES = ("error_rate", "hit_rate", "cpu_usage", "memory_usage")
LONGEST_DATA = 100_000


class ThresholdForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A threshold that can be evaluated."""

    metric_name = forms.CharField(max_length=100, help_text="response_time, error_rate, hit_rate, cpu_usage, …")
    component = forms.CharField(
        max_length=150, required=False, help_text="Empty: each component of the layer. Named: overrides that for one."
    )
    aggregation = forms.ChoiceField(
        choices=[(name, name) for name in _AGGREGATIONS], help_text="How the values of a window become one."
    )

    class Meta:
        model = PerformanceThreshold
        fields = "__all__"
        help_texts = {
            "warning_threshold": "The first limit.",
            "critical_threshold": "The second; below the first where lower is worse (hit_rate).",
            "window_s": "The length of the window, in seconds.",
            "pending_s": "How long the limit must be passed before it counts, in seconds.",
            "recovery_margin_pct": "How far back a value must be to count as recovered, in per cent of the limit.",
        }

    def clean(self) -> dict[str, Any]:
        """Refuse what could never be evaluated, naming the field."""
        data = super().clean() or {}
        warning, critical = data.get("warning_threshold"), data.get("critical_threshold")
        for name in ("warning_threshold", "critical_threshold"):
            value = data.get(name)
            if value is not None and value < 0:
                self.add_error(name, "A limit is not negative.")
            if value is not None and data.get("metric_name") in _PERCENTAGES and value > 100:
                self.add_error(name, "This metric is in per cent: up to 100.")
        if warning is not None and warning == critical:
            self.add_error(
                "critical_threshold", "The two limits must differ: their order says which direction is worse."
            )
        for name, least in (("window_s", 1), ("pending_s", 0)):
            value = data.get(name)
            if value is not None and not least <= value <= 7 * 86_400:
                self.add_error(name, f"From {least} to {7 * 86_400} seconds.")
        margin = data.get("recovery_margin_pct")
        if margin is not None and not 0 <= margin < 100:
            self.add_error("recovery_margin_pct", "From 0 to below 100 per cent.")
        data["component"] = (data.get("component") or "").strip()
        same = PerformanceThreshold.objects.filter(
            layer=data.get("layer"), metric_name=data.get("metric_name"), component=data["component"]
        ).exclude(pk=self.instance.pk)
        if data.get("layer") and data.get("metric_name") and same.exists():
            self.add_error("metric_name", "There is a threshold for this layer, metric and component already.")
        return data


class ThresholdOptionInline(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs alone
    """The least number of values, and how much silence is an alert."""

    model = ThresholdOption
    max_num = 1
    extra = 0


@admin.register(PerformanceThreshold)
class PerformanceThresholdAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Performance thresholds."""

    form = ThresholdForm
    inlines = (ThresholdOptionInline,)
    list_display = ("target", "layer_", "warning", "critical", "enabled", "aggregation", "window", "changed")
    list_display_links = ("target",)
    list_filter = ("layer", "enabled")
    ordering = ("layer", "metric_name", "component")
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("layer", "metric_name", "component", "enabled")}),
        ("Limits", {"fields": ("warning_threshold", "critical_threshold", "alert_on_warning", "alert_on_critical")}),
        ("Evaluation", {"fields": ("aggregation", "window_s", "pending_s", "recovery_margin_pct")}),
        ("Changes", {"fields": ("created_at", "updated_at")}),
    )

    class Media:
        css = _CSS

    @admin.display(description="Metric")
    def target(self, row: Any) -> Any:
        """The metric, and the component if it is for one."""
        return cut(f"{row.metric_name} {row.component}".strip())

    @admin.display(description="Layer", ordering="layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="Warning")
    def warning(self, row: Any) -> Any:
        """The first limit."""
        return number(row.warning_threshold)

    @admin.display(description="Critical")
    def critical(self, row: Any) -> Any:
        """The second limit."""
        return number(row.critical_threshold)

    @admin.display(description="Window")
    def window(self, row: Any) -> Any:
        """The window."""
        return f"{row.window_s} s"

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, row: Any) -> Any:
        """When it was changed last."""
        return moment(row.updated_at)


class ConfigurationForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A configuration that running processes can follow."""

    config_type = forms.ChoiceField(choices=[(one.name, one.title) for one in CONFIGURATION_TYPES.values()])
    config_data = forms.JSONField(
        required=False,
        label="Data",
        widget=forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField", "spellcheck": "false"}),
        help_text='JSON. Empty, and each field that is left out: as the environment says. {"sample_ratio": 0.25}',
    )
    description = forms.CharField(
        required=False, max_length=8192, widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})
    )

    def clean(self) -> dict[str, Any]:
        """Check the data as the running processes do, naming each wrong field."""
        data = super().clean() or {}
        value = data.get("config_data")
        if value is not None and len(json.dumps(value)) > LONGEST_DATA:
            self.add_error("config_data", "This is too long to be a configuration.")
        elif "config_type" in data and "config_data" in data:
            try:
                validate_configuration(data["config_type"], value)
            except ConfigurationDataError as error:
                for name, text in error.problems.items():
                    field = name if name in ("config_type", "config_data") else "config_data"
                    self.add_error(field, f"{name}: {text}" if name != field else text)
        return data


@admin.register(DebugConfiguration)
class DebugConfigurationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Debug configurations."""

    form = ConfigurationForm
    list_display = ("name_", "type_", "enabled", "data", "changed")
    list_display_links = ("name_",)
    list_filter = ("enabled",)
    ordering = ("config_type", "name")
    readonly_fields = ("fields_known", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("name", "config_type", "enabled", "config_data", "description")}),
        ("What each type may hold", {"fields": ("fields_known",)}),
        ("Changes", {"fields": ("created_at", "updated_at")}),
    )

    class Media:
        css = _CSS

    @admin.display(description="Name", ordering="name")
    def name_(self, row: Any) -> Any:
        """Its name."""
        return cut(row.name)

    @admin.display(description="Type", ordering="config_type")
    def type_(self, row: Any) -> Any:
        """Its type."""
        known = CONFIGURATION_TYPES.get(row.config_type)
        return known.title if known else cut(row.config_type, 50)

    @admin.display(description="Data")
    def data(self, row: Any) -> Any:
        """What it holds."""
        return json_text(row.config_data)

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, row: Any) -> Any:
        """When it was changed last."""
        return moment(row.updated_at)

    @admin.display(description="Fields")
    def fields_known(self, row: Any) -> Any:  # noqa: ARG002  # the same for each row
        """The fields of each type, with an example."""
        rows = [
            (one.title, field.name, field.kind.name, field.meaning, json.dumps(field.example))
            for one in CONFIGURATION_TYPES.values()
            for field in one.fields
        ]
        return format_html(
            '<table class="e2e-table"><thead><tr><th>Type</th><th>Field</th><th>Kind</th><th>Meaning</th><th>Example</th>'
            "</tr></thead><tbody>{}</tbody></table>",
            format_html_join(
                "", "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td><td><code>{}</code></td></tr>", rows
            ),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new one is switched on."""
        return {"enabled": True, **super().get_changeform_initial_data(request)}
