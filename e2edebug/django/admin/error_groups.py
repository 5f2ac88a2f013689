"""Errors of one cause: how often, since when, and what was decided about them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from e2edebug.django.admin.cells import age, badge, cut, layer_chip, moment, page_link, workflow_link
from e2edebug.django.admin.recorded import RecordedAdmin
from e2edebug.django.error_decisions import LONGEST_NOTES, change_group
from e2edebug.django.models import ErrorGroup, ErrorLog
from e2edebug.policy.error_class.registry import advice_on

OCCURRENCES_SHOWN = 20
CHANGES_SHOWN = 20


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """The two fields that a person decides."""

    status = forms.ChoiceField(
        choices=[("unresolved", "Unresolved"), ("resolved", "Resolved"), ("ignored", "Ignored")],
        help_text="A resolved group becomes “regressed” by itself when its error happens again in a later release.",
    )
    resolution_notes = forms.CharField(
        required=False, max_length=LONGEST_NOTES, widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"})
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if "status" in self.fields and self.instance.status == "regressed":
            self.fields["status"].choices += [("regressed", "Regressed")]  # type: ignore[attr-defined]  # a ChoiceField


@admin.register(ErrorGroup)
class ErrorGroupAdmin(RecordedAdmin):
    """Error groups."""

    form = GroupForm
    time_field = "last_seen"
    trace_field = ""
    list_display = ("title_", "state", "occurrences_", "layer_", "component_", "seen_last", "seen_first", "releases")
    list_display_links = ("title_",)
    list_filter = ("status", "layer")
    actions = ("mark_resolved", "mark_ignored", "mark_unresolved")
    search_fields = ("fingerprint",)
    search_help_text = "A fingerprint, or the id of a workflow in which the error happened."

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may change groups may decide about them; nothing else of them can be changed."""
        return super(RecordedAdmin, self).has_change_permission(request, obj)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002  # Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Find by fingerprint, or by the errors of a workflow."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if not term.isascii():
            return queryset.none(), False
        of_workflow = ErrorLog.objects.filter(correlation_id=term).values_list("fingerprint", flat=True)[:1000]
        return queryset.filter(fingerprint__in={term.lower(), *of_workflow}), False

    @admin.display(description="Error")
    def title_(self, row: Any) -> Any:
        """Type and message of the first one."""
        return cut(row.title or row.error_type)

    @admin.display(description="Status")
    def state(self, row: Any) -> Any:
        """What was decided."""
        return badge(row.status)

    @admin.display(description="Times")
    def occurrences_(self, row: Any) -> Any:
        """How often."""
        return f"{row.occurrences:,}"

    @admin.display(description="Layer")
    def layer_(self, row: Any) -> Any:
        """Its layer."""
        return layer_chip(row.layer)

    @admin.display(description="Component")
    def component_(self, row: Any) -> Any:
        """Its component."""
        return cut(row.component, 40)

    @admin.display(description="Last seen")
    def seen_last(self, row: Any) -> Any:
        """When it happened last."""
        return age(row.last_seen)

    @admin.display(description="First seen")
    def seen_first(self, row: Any) -> Any:
        """When it happened first."""
        return age(row.first_seen)

    @admin.display(description="Releases")
    def releases(self, row: Any) -> Any:
        """In which versions."""
        if row.first_release == row.last_release:
            return cut(row.last_release, 30)
        return f"{cut(row.first_release, 20)} … {cut(row.last_release, 20)}"

    @admin.action(description="Mark as resolved", permissions=["change"])
    def mark_resolved(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Resolve the selected groups."""
        self._change(request, queryset, "resolved")

    @admin.action(description="Ignore", permissions=["change"])
    def mark_ignored(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Ignore the selected groups."""
        self._change(request, queryset, "ignored")

    @admin.action(description="Reopen", permissions=["change"])
    def mark_unresolved(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Reopen the selected groups."""
        self._change(request, queryset, "unresolved")

    def _change(self, request: HttpRequest, queryset: QuerySet[Any], status: str) -> None:
        by = request.user.get_username()
        changed = sum(change_group(group, status, by=by, notes=None) for group in queryset)
        messages.success(request, f"{changed} marked as {status}.")

    # The page.

    fieldsets = (
        (
            None,
            {
                "fields": (
                    "title",
                    "error_type",
                    "layer_",
                    "component",
                    "occurrences_",
                    "first_seen_",
                    "last_seen_",
                    "releases",
                )
            },
        ),
        ("What to do", {"fields": ("class_", "advice")}),
        ("Decision", {"fields": ("status", "resolution_notes")}),
        ("Latest occurrences", {"fields": ("latest",)}),
        ("What was decided before", {"fields": ("history",)}),
        ("More", {"fields": ("fingerprint", "fingerprint_version"), "classes": ("collapse",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002  # Django's signature
        """Everything but what a person decides."""
        named = [str(name) for _, options in self.fieldsets for name in options["fields"]]
        return tuple(name for name in named if name not in ("status", "resolution_notes"))

    @admin.display(description="Class")
    def class_(self, row: Any) -> Any:
        """What kind of errors they are."""
        return advice_on(row).error_class

    @admin.display(description="Suggestion")
    def advice(self, row: Any) -> Any:
        """What to do about them."""
        return advice_on(row).suggestion

    @admin.display(description="First seen")
    def first_seen_(self, row: Any) -> Any:
        """When it happened first."""
        return moment(row.first_seen)

    @admin.display(description="Last seen")
    def last_seen_(self, row: Any) -> Any:
        """When it happened last."""
        return moment(row.last_seen)

    @admin.display(description="Errors")
    def latest(self, row: Any) -> Any:
        """The newest errors of the group, with their workflows."""
        errors = (
            ErrorLog.objects.filter(fingerprint=row.fingerprint).order_by("-timestamp").defer("stack_trace", "metadata")
        )
        rows = [
            (page_link("errorlog", error.id, moment(error.timestamp)), cut(error.error_message, 140),
             cut(error.service_release, 30), workflow_link(error.correlation_id))
            for error in errors[:OCCURRENCES_SHOWN]
        ]  # fmt: skip
        if not rows:
            return "None is stored any more."
        return format_html(
            '<table class="e2e-table"><thead><tr><th>When</th><th>Message</th><th>Release</th><th>Workflow</th></tr>'
            "</thead><tbody>{}</tbody></table>",
            format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows),
        )

    @admin.display(description="Changes")
    def history(self, row: Any) -> Any:
        """Who decided what, and when the error came back."""
        changes = row.changes.order_by("-id")[:CHANGES_SHOWN]
        rows = [
            (moment(one.changed_at), one.old_status, one.new_status, cut(one.changed_by or "by itself", 40),
             cut(one.service_release, 30), cut(one.notes, 200))
            for one in changes
        ]  # fmt: skip
        if not rows:
            return "Nothing yet."
        return format_html(
            '<table class="e2e-table"><thead><tr><th>When</th><th>From</th><th>To</th><th>Who</th><th>Release</th>'
            "<th>Notes</th></tr></thead><tbody>{}</tbody></table>",
            format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002  # Django's signature
        """Write the decision alone, and keep who made it."""
        data = form.cleaned_data
        change_group(obj, data["status"], by=request.user.get_username(), notes=data.get("resolution_notes") or "")
