"""Metrics: what was measured over an interval."""

from typing import Any

from django.contrib import admin

from e2edebug.django.admin.cells import beside, cut, json_text, layer_chip, list_link, moment, number, workflow_link
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.admin.time_range import time_range
from e2edebug.django.models import PerformanceSnapshot

_METRICS = (
    "response_time", "error_rate", "throughput", "query_count", "cpu_usage", "memory_usage", "hit_rate",
    "connection_pool",
)  # fmt: skip


class MetricName(admin.SimpleListFilter):
    """`?metric_name=response_time`: the names of our own, not asked of the table."""

    title = "metric"
    parameter_name = "metric_name"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  # Django's signature
        """The metrics that e2edebug records itself."""
        return [(name, name) for name in _METRICS]

    def queryset(self, request: Any, queryset: Any) -> Any:  # noqa: ARG002  # Django's signature
        """Rows of that metric."""
        return queryset.filter(metric_name=self.value()) if self.value() else queryset


@admin.register(PerformanceSnapshot)
class PerformanceSnapshotAdmin(RecordedAdmin):
    """Performance snapshots."""

    # By id, which grows with time: no index begins with the time, and sorting a day of them would take seconds.
    time_field = ""
    list_display = (
        "when",
        "layer_",
        "component_",
        "metric_name",
        "value",
        "counted",
        "p50_",
        "p95_",
        "p99_",
        "failed",
        "worst",
    )
    list_display_links = ("when",)
    list_filter = (time_range("timestamp", offered=("1h", "24h", "7d")), MetricName, "layer")

    @admin.display(description="From")
    def when(self, row: Any) -> Any:
        """The start of the interval."""
        return moment(row.timestamp)

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="Component")
    def component_(self, row: Any) -> Any:
        """Its component."""
        return cut(row.component, 40)

    @admin.display(description="Value")
    def value(self, row: Any) -> Any:
        """The value that thresholds judge."""
        return number(row.metric_value, row.unit)

    @admin.display(description="Count")
    def counted(self, row: Any) -> Any:
        """How many values."""
        return f"{row.count:,}"

    @admin.display(description="p50")
    def p50_(self, row: Any) -> Any:
        """The median."""
        return number(row.p50, row.unit)

    @admin.display(description="p95")
    def p95_(self, row: Any) -> Any:
        """The 95th percentile."""
        return number(row.p95, row.unit)

    @admin.display(description="p99")
    def p99_(self, row: Any) -> Any:
        """The 99th percentile."""
        return number(row.p99, row.unit)

    @admin.display(description="Errors")
    def failed(self, row: Any) -> Any:
        """How many of them failed."""
        return f"{row.error_count:,}"

    @admin.display(description="Worst request")
    def worst(self, row: Any) -> Any:
        """The workflow behind the highest value."""
        return workflow_link(row.correlation_id)

    # The page.

    fieldsets = (
        (None, {"fields": ("layer_", "component", "metric_name", "metric_kind", "value", "workflow_")}),
        ("Interval", {"fields": ("timestamp", "interval_s", "service", "service_instance")}),
        ("Values", {"fields": ("count", "sum", "min", "max", "p50_", "p95_", "p99_", "error_count", "buckets_")}),
        ("More", {"fields": ("threshold_warning", "threshold_critical", "trace_id", "metadata_")}),
    )
    readonly_fields = ("layer_", "value", "workflow_", "p50_", "p95_", "p99_", "buckets_", "metadata_")

    @admin.display(description="Worst request")
    def workflow_(self, row: Any) -> Any:
        """The workflow behind the highest value, and what belongs to it."""
        if not row.correlation_id:
            return cut(None)
        return beside(
            workflow_link(row.correlation_id, row.correlation_id),
            list_link("tracestep", "its steps", q=row.correlation_id),
            list_link("errorlog", "its errors", q=row.correlation_id),
        )

    @admin.display(description="Buckets")
    def buckets_(self, row: Any) -> Any:
        """The histogram."""
        return json_text(row.buckets)

    @admin.display(description="Metadata")
    def metadata_(self, row: Any) -> Any:
        """Everything else."""
        return json_text(row.metadata)
