"""When nobody wants to be told, and what people were told."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from e2edebug.django.admin.cells import badge, cut, layer_chip, moment, preformatted
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.models import MaintenanceWindow, Notification


class MaintenanceWindowForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A window that can come true."""

    component = forms.CharField(max_length=150, required=False, help_text="Empty: every component.")

    class Meta:
        model = MaintenanceWindow
        fields = ("layer", "component", "starts_at", "ends_at", "reason")

    def clean(self) -> dict[str, Any]:
        """Refuse a window that ends before it starts."""
        data = super().clean() or {}
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at:
            self.add_error("ends_at", "It ends after it starts.")
        data["component"] = (data.get("component") or "").strip()
        return data


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Maintenance windows."""

    form = MaintenanceWindowForm
    list_display = ("what", "layer_", "begins", "ends", "created_by")
    list_display_links = ("what",)
    ordering = ("-starts_at",)

    class Media:
        css = {"all": ["debugging/admin.css"]}

    @admin.display(description="What")
    def what(self, row: Any) -> Any:
        """Why, and for which component."""
        return cut(f"{row.reason or 'maintenance'} {row.component}".strip())

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer) if row.layer else "every layer"

    @admin.display(description="From", ordering="starts_at")
    def begins(self, row: Any) -> Any:
        """When it begins."""
        return moment(row.starts_at)

    @admin.display(description="Until")
    def ends(self, row: Any) -> Any:
        """When it ends."""
        return moment(row.ends_at)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Keep who planned it."""
        if not change:
            from django.utils import timezone

            obj.created_by, obj.created_at = request.user.get_username()[:150], timezone.now()
        super().save_model(request, obj, form, change)


@admin.register(Notification)
class NotificationAdmin(RecordedAdmin):
    """Messages."""

    time_field = "created_at"
    trace_field = ""
    search_fields = ("route",)
    search_help_text = "The name of a route."
    list_display = ("what", "status_", "route_", "written", "tries", "trouble")
    list_display_links = ("what",)
    list_filter = ("status",)
    fields = ("what", "status_", "route_", "written", "tries", "trouble", "text")
    readonly_fields = fields

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Find the messages of a route."""
        term = search_term.strip()
        return (queryset.filter(route=term) if term else queryset), False

    @admin.display(description="What")
    def what(self, row: Any) -> Any:
        """Its first line."""
        return cut(row.subject)

    @admin.display(description="Status")
    def status_(self, row: Any) -> Any:
        """Where its delivery stands."""
        return badge(row.status)

    @admin.display(description="Route")
    def route_(self, row: Any) -> Any:
        """Who gets it."""
        return cut(row.route)

    @admin.display(description="Written")
    def written(self, row: Any) -> Any:
        """When."""
        return moment(row.created_at)

    @admin.display(description="Tries")
    def tries(self, row: Any) -> Any:
        """How often it was tried."""
        return f"{row.attempts}{', perhaps sent twice' if row.is_possible_repeat else ''}"

    @admin.display(description="Trouble")
    def trouble(self, row: Any) -> Any:
        """Why it was not taken."""
        return cut(row.last_error)

    @admin.display(description="Text")
    def text(self, row: Any) -> Any:
        """The whole message."""
        return preformatted(row.message)
