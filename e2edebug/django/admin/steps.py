"""Single steps, of whatever workflow."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from e2edebug.django.admin.cells import (
    badge,
    beside,
    cut,
    duration_text,
    json_text,
    layer_chip,
    list_link,
    moment,
    preformatted,
    workflow_link,
)
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.admin.time_range import time_range
from e2edebug.django.models import TraceStep


@admin.register(TraceStep)
class TraceStepAdmin(RecordedAdmin):
    """Trace steps."""

    time_field = "start_time"
    list_display = ("began", "layer_", "what", "took", "state", "place", "workflow")
    list_display_links = ("began",)
    list_filter = (time_range("start_time"), "layer", "status")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out of a list what it does not show: metadata is most of a row."""
        rows = super().get_queryset(request)
        return rows.defer("metadata") if request.resolver_match and request.resolver_match.url_name == _LIST else rows

    @admin.display(description="Started")
    def began(self, row: Any) -> Any:
        """When it began."""
        return moment(row.start_time)

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="What")
    def what(self, row: Any) -> Any:
        """Its statement, or its component and operation."""
        if row.statement:
            return format_html("<code>{}</code>", cut(row.statement, 110))
        return cut(f"{row.component} {row.operation}".strip())

    @admin.display(description="Took")
    def took(self, row: Any) -> Any:
        """How long it took."""
        return duration_text(row.duration_ms)

    @admin.display(description="Status")
    def state(self, row: Any) -> Any:
        """What became of it."""
        return badge(row.status)

    @admin.display(description="Code")
    def place(self, row: Any) -> Any:
        """The line of the application."""
        return cut(row.code_location, 40)

    @admin.display(description="Workflow")
    def workflow(self, row: Any) -> Any:
        """The workflow that it belongs to."""
        return workflow_link(row.correlation_id)

    # The page.

    fieldsets = (
        (None, {"fields": ("workflow_", "state", "layer_", "component", "operation", "kind", "service")}),
        ("Time", {"fields": ("start_time", "end_time", "took")}),
        ("What it did", {"fields": ("statement_", "place_", "status_message", "metadata_")}),
        ("Ids", {"fields": ("trace_id", "span_id", "parent_span_id", "statement_digest")}),
    )
    readonly_fields = ("workflow_", "state", "layer_", "took", "statement_", "place_", "metadata_")

    @admin.display(description="Workflow")
    def workflow_(self, row: Any) -> Any:
        """The workflow, and what else belongs to it."""
        return beside(
            workflow_link(row.correlation_id, row.correlation_id),
            list_link("tracestep", "all its steps", q=row.correlation_id),
            list_link("errorlog", "its errors", q=row.correlation_id),
            list_link("performancesnapshot", "its metrics", q=row.correlation_id),
        )

    @admin.display(description="Statement")
    def statement_(self, row: Any) -> Any:
        """The SQL text."""
        return preformatted(row.statement)

    @admin.display(description="Code")
    def place_(self, row: Any) -> Any:
        """The line of the application."""
        return cut(row.code_location, 1000)

    @admin.display(description="Metadata")
    def metadata_(self, row: Any) -> Any:
        """Everything else."""
        return json_text(row.metadata)


_LIST = "debugging_tracestep_changelist"
