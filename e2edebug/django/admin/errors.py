"""Single errors, and marking them as resolved."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from e2edebug.django.admin.cells import (
    badge,
    beside,
    cut,
    json_text,
    layer_chip,
    list_link,
    moment,
    preformatted,
    workflow_link,
)
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.admin.time_range import time_range
from e2edebug.django.error_decisions import LONGEST_NOTES, reopen_error, resolve_error
from e2edebug.django.models import ErrorLog
from e2edebug.policy.error_class.registry import advice_on


class ErrorForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """The two fields that a person decides."""

    resolution_notes = forms.CharField(
        required=False, max_length=LONGEST_NOTES, widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"})
    )


@admin.register(ErrorLog)
class ErrorLogAdmin(RecordedAdmin):
    """Error logs."""

    form = ErrorForm
    list_display = ("when", "severity_", "layer_", "component_", "message", "is_resolved", "workflow", "alike")
    list_display_links = ("when",)
    list_filter = (time_range("timestamp", offered=("1h", "24h", "7d"), default="7d"), "resolved", "severity", "layer")
    actions = ("mark_resolved", "mark_unresolved")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change errors may resolve them; nothing else of them can be changed."""
        return super(RecordedAdmin, self).has_change_permission(request, obj)

    @admin.display(description="When")
    def when(self, row: Any) -> Any:
        """When it happened."""
        return moment(row.timestamp)

    @admin.display(description="Severity")
    def severity_(self, row: Any) -> Any:
        """How bad it is."""
        return badge(row.severity)

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="Component")
    def component_(self, row: Any) -> Any:
        """Its component."""
        return cut(row.component, 40)

    @admin.display(description="Error")
    def message(self, row: Any) -> Any:
        """Its type and message."""
        return format_html("<b>{}</b> {}", cut(row.error_type, 60), cut(row.error_message, 140))

    @admin.display(description="Resolved", boolean=True)
    def is_resolved(self, row: Any) -> bool:
        """Whether somebody has resolved it."""
        return bool(row.resolved)

    @admin.display(description="Workflow")
    def workflow(self, row: Any) -> Any:
        """The workflow in which it happened."""
        return workflow_link(row.correlation_id)

    @admin.display(description="Group")
    def alike(self, row: Any) -> Any:
        """Errors of the same cause."""
        return list_link("errorgroup", "group", q=row.fingerprint)

    @admin.action(description="Mark as resolved", permissions=["change"])
    def mark_resolved(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Resolve the selected errors."""
        errors = list(queryset.filter(resolved=False))
        for error in errors:
            resolve_error(error, by=request.user.get_username(), notes=None)
        messages.success(request, f"{len(errors)} marked as resolved.")

    @admin.action(description="Mark as unresolved", permissions=["change"])
    def mark_unresolved(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Reopen the selected errors."""
        errors = list(queryset.filter(resolved=True))
        for error in errors:
            reopen_error(error, notes=None)
        messages.success(request, f"{len(errors)} marked as unresolved.")

    # The page.

    fieldsets = (
        (None, {"fields": ("error_type", "message_", "severity_", "layer_", "component", "when", "workflow_")}),
        ("What to do", {"fields": ("class_", "advice")}),
        ("Resolution", {"fields": ("resolved", "resolution_notes", "resolved_at_", "resolved_by")}),
        ("Stack trace", {"fields": ("stack_",)}),
        (
            "Request",
            {
                "fields": (
                    "request_method",
                    "request_path",
                    "user_id",
                    "user_agent",
                    "ip_address",
                    "service",
                    "service_release",
                )
            },
        ),
        ("More", {"fields": ("trace_id", "span_id", "fingerprint", "metadata_"), "classes": ("collapse",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002  # Django's signature
        """Everything but what a person decides."""
        named = [str(name) for _, options in self.fieldsets for name in options["fields"]]
        return tuple(name for name in named if name not in ("resolved", "resolution_notes"))

    @admin.display(description="Message")
    def message_(self, row: Any) -> Any:
        """Its message."""
        return preformatted(row.error_message)

    @admin.display(description="Class")
    def class_(self, row: Any) -> Any:
        """What kind of error it is."""
        return advice_on(row).error_class

    @admin.display(description="Suggestion")
    def advice(self, row: Any) -> Any:
        """What to do about it."""
        return advice_on(row).suggestion

    @admin.display(description="Stack trace")
    def stack_(self, row: Any) -> Any:
        """Its stack trace."""
        return preformatted(row.stack_trace)

    @admin.display(description="Resolved at")
    def resolved_at_(self, row: Any) -> Any:
        """When it was resolved."""
        return moment(row.resolved_at)

    @admin.display(description="Workflow")
    def workflow_(self, row: Any) -> Any:
        """The workflow, its steps and metrics, and errors of the same cause."""
        alike = list_link("errorgroup", "errors of the same cause", q=row.fingerprint)
        if not row.correlation_id:
            return alike
        return beside(
            workflow_link(row.correlation_id, row.correlation_id),
            list_link("tracestep", "its steps", q=row.correlation_id),
            list_link("performancesnapshot", "its metrics", q=row.correlation_id),
            alike,
        )

    @admin.display(description="Metadata")
    def metadata_(self, row: Any) -> Any:
        """Everything else."""
        return json_text(row.metadata)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002  # Django's signature
        """Write the decision alone, with who made it."""
        notes = form.cleaned_data.get("resolution_notes") or ""
        if form.cleaned_data.get("resolved"):
            resolve_error(obj, by=request.user.get_username(), notes=notes)
        else:
            reopen_error(obj, notes=notes)
